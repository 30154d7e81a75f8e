# SPDX-License-Identifier: GPL-3.0-or-later
# Sources of build/trapline.
MONITOR_SRCS += monitor/transport.c
MONITOR_SRCS += monitor/transport_rfc2217.c
MONITOR_SRCS += monitor/expr_parse.c
MONITOR_SRCS += monitor/expr_emit.c
MONITOR_SRCS += monitor/expr_names.c
