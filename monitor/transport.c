/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The descriptor side of transport.h: opening targets, the output queue, end of line. The Telnet
 * part of RFC 2217 is transport_rfc2217.c.
 */
#include "monitor/transport_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX_BYTES (1u << 20)

struct baud_row {
    unsigned baud;
    speed_t speed;
};

static const struct baud_row baud_rows[] = {
    {9600, B9600},       {19200, B19200},     {38400, B38400},     {57600, B57600},
    {115200, B115200},   {230400, B230400},   {460800, B460800},   {921600, B921600},
    {1000000, B1000000}, {1500000, B1500000}, {3000000, B3000000},
};

struct transport *transport_from_fd(int fd)
{
    struct transport *transport = calloc(1, sizeof(*transport));
    int one = 1;

    if (!transport)
        return NULL;
    transport->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    /* Small packets both ways: no Nagle here, and acknowledge at once for a peer that has it. */
    transport->is_tcp = setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0;
    if (transport->is_tcp)
        setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
    return transport;
}

void transport_close(struct transport *transport)
{
    if (!transport)
        return;
    if (transport->fd >= 0)
        close(transport->fd);
    free(transport->queue);
    free(transport);
}

int transport_fd(const struct transport *transport)
{
    return transport->fd;
}

const char *transport_why(const struct transport *transport)
{
    return transport->why[0] ? transport->why : "the other end closed the line";
}

void transport_hint(const struct transport *transport, char *hint, size_t cap_bytes)
{
    hint[0] = '\0';
    if (transport->rfc2217)
        rfc2217_hint(transport, hint, cap_bytes);
}

/* A socket's other side that went says EPIPE or, if it left bytes of ours unread, ECONNRESET; a pty
 * whose other side closed says EIO, a USB adapter that was pulled ENXIO or EIO. */
static void say_why(struct transport *transport, int error)
{
    const char *why = strerror(error);

    if (error == 0 || error == EPIPE || error == ECONNRESET)
        why = "the other end closed the line";
    else if (error == EIO || error == ENXIO)
        why = "the device is gone";
    snprintf(transport->why, sizeof(transport->why), "%s", why);
}

ssize_t transport_read(struct transport *transport, uint8_t *bytes, size_t cap_bytes)
{
    ssize_t got = read(transport->fd, bytes, cap_bytes);
    int one = 1;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (got <= 0) {
        say_why(transport, got == 0 ? 0 : errno);
        return -1;
    }
    /* Linux falls back to delayed acknowledgements by itself: ask again after each read, else a
     * peer with Nagle (Bochs) waits 40 ms for each packet. */
    if (transport->is_tcp)
        setsockopt(transport->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
    if (transport->rfc2217)
        return (ssize_t)rfc2217_filter(transport, bytes, (size_t)got);
    return got;
}

bool transport_wants_write(const struct transport *transport)
{
    return transport->queue_len_bytes > 0;
}

bool transport_flush(struct transport *transport)
{
    while (transport->queue_len_bytes > 0) {
        ssize_t put = send(transport->fd, transport->queue, transport->queue_len_bytes,
                           MSG_NOSIGNAL | MSG_DONTWAIT);

        if (put < 0 && errno == ENOTSOCK)
            put = write(transport->fd, transport->queue, transport->queue_len_bytes);
        if (put < 0) {
            if (errno == EAGAIN || errno == EINTR)
                return true;
            say_why(transport, errno);
            return false;
        }
        transport->queue_len_bytes -= (size_t)put;
        memmove(transport->queue, transport->queue + put, transport->queue_len_bytes);
    }
    return true;
}

bool transport_queue(struct transport *transport, const uint8_t *bytes, size_t len_bytes)
{
    size_t need = transport->queue_len_bytes + len_bytes;

    if (need > QUEUE_MAX_BYTES) {
        snprintf(transport->why, sizeof(transport->why), "nobody reads the other end");
        return false;
    }
    if (need > transport->queue_cap_bytes) {
        size_t cap_bytes = need < 4096 ? 4096 : 2 * need;
        uint8_t *queue = realloc(transport->queue, cap_bytes);

        if (!queue) {
            snprintf(transport->why, sizeof(transport->why), "out of memory");
            return false;
        }
        transport->queue = queue;
        transport->queue_cap_bytes = cap_bytes;
    }
    memcpy(transport->queue + transport->queue_len_bytes, bytes, len_bytes);
    transport->queue_len_bytes = need;
    return true;
}

bool transport_write(struct transport *transport, const uint8_t *bytes, size_t len_bytes)
{
    if (transport->rfc2217) {
        if (!rfc2217_write(transport, bytes, len_bytes))
            return false;
    } else if (!transport_queue(transport, bytes, len_bytes)) {
        return false;
    }
    return transport_flush(transport);
}

/* ---- opening ---- */

static bool finish_connect(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);

    if (poll(&wait, 1, timeout_ms) != 1) {
        errno = ETIMEDOUT;
        return false;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return false;
    errno = error;
    return error == 0;
}

static struct transport *open_unix(const char *path, char *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "%s: socket path is too long (%zu bytes at most)",
                 path, sizeof(address.sun_path) - 1);
        return NULL;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "%s: %s%s", path, strerror(errno),
                 errno == ECONNREFUSED ? " (is the machine running, with this socket as its UART?)"
                                       : "");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    return transport_from_fd(fd);
}

static struct transport *open_tcp(const char *target, int timeout_ms, char *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list, *row;
    const char *colon = strrchr(target, ':');
    char host[256];
    int code, fd = -1;

    if (!colon || colon[1] == '\0' || (size_t)(colon - target) >= sizeof(host)) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "%s: expected HOST:PORT", target);
        return NULL;
    }
    memcpy(host, target, (size_t)(colon - target));
    host[colon - target] = '\0';
    if (host[0] == '[' && host[strlen(host) - 1] == ']') { /* [::1]:PORT */
        host[strlen(host) - 1] = '\0';
        memmove(host, host + 1, strlen(host));
    }
    code = getaddrinfo(host[0] ? host : "localhost", colon + 1, &hints, &list);
    if (code != 0) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "%s: %s", target, gai_strerror(code));
        return NULL;
    }
    for (row = list; row; row = row->ai_next) {
        fd = socket(row->ai_family, row->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    row->ai_protocol);
        if (fd < 0)
            continue;
        if (connect(fd, row->ai_addr, row->ai_addrlen) == 0 ||
            (errno == EINPROGRESS && finish_connect(fd, timeout_ms)))
            break;
        code = errno;
        close(fd);
        fd = -1;
        errno = code;
    }
    freeaddrinfo(list);
    if (fd < 0) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "%s: %s", target, strerror(errno));
        return NULL;
    }
    return transport_from_fd(fd);
}

/* Splits ",BAUD" off; returns 115200 when there is none, 0 when it is no number. */
static unsigned split_baud(char *target)
{
    char *comma = strrchr(target, ','), *end;
    unsigned long baud;

    if (!comma)
        return 115200;
    *comma = '\0';
    baud = strtoul(comma + 1, &end, 10);
    return *end || end == comma + 1 || baud > 10000000 ? 0 : (unsigned)baud;
}

static struct transport *open_tty(char *path, unsigned baud, char *error)
{
    struct termios mode;
    size_t i;
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "%s: %s%s", path, strerror(errno),
                 errno == EACCES ? " (add yourself to the group that owns it, often `dialout`)"
                 : errno == EBUSY
                     ? " (another program has it: a second trapline, minicom, a getty?)"
                     : "");
        return NULL;
    }
    if (tcgetattr(fd, &mode) < 0) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "%s: not a serial line that works: %s", path,
                 strerror(errno));
        close(fd);
        return NULL;
    }
    for (i = 0; i < sizeof(baud_rows) / sizeof(baud_rows[0]); i++)
        if (baud_rows[i].baud == baud)
            break;
    if (i == sizeof(baud_rows) / sizeof(baud_rows[0])) {
        snprintf(error, TRANSPORT_ERROR_BYTES,
                 "%s: no such speed (DEVICE,BAUD with 9600 to 3000000 as serial ports have them); "
                 "try 115200",
                 path);
        close(fd);
        return NULL;
    }
    cfmakeraw(&mode);
    mode.c_cflag |= CLOCAL | CREAD;
    mode.c_cflag &= ~(tcflag_t)CRTSCTS;
    cfsetispeed(&mode, baud_rows[i].speed);
    cfsetospeed(&mode, baud_rows[i].speed);
    if (tcsetattr(fd, TCSANOW, &mode) < 0) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "%s: cannot set %u baud: %s", path, baud,
                 strerror(errno));
        close(fd);
        return NULL;
    }
    ioctl(fd, TIOCEXCL); /* a second program on the same line would steal bytes */
    return transport_from_fd(fd);
}

struct transport *transport_open(const char *target, int timeout_ms, char *error)
{
    struct transport *transport;
    struct stat status;
    char path[512];
    unsigned baud;

    error[0] = '\0';
    if (strncmp(target, "unix:", 5) == 0)
        return open_unix(target + 5, error);
    if (strncmp(target, "tcp:", 4) == 0)
        return open_tcp(target + 4, timeout_ms, error);
    if (strlen(target) >= sizeof(path)) {
        snprintf(error, TRANSPORT_ERROR_BYTES, "target is too long");
        return NULL;
    }
    snprintf(path, sizeof(path), "%s", target);
    if (strncmp(target, "rfc2217://", 10) == 0) {
        baud = split_baud(path);
        if (baud == 0) {
            snprintf(error, TRANSPORT_ERROR_BYTES, "%s: the speed is no number", target);
            return NULL;
        }
        transport = open_tcp(path + 10, timeout_ms, error);
        if (transport && !rfc2217_start(transport, baud)) {
            snprintf(error, TRANSPORT_ERROR_BYTES, "%s: %s", target, transport_why(transport));
            transport_close(transport);
            return NULL;
        }
        return transport;
    }
    if (strchr(path, '/')) {
        if (stat(path, &status) < 0)
            baud = split_baud(path);
        else
            baud = 115200;
        if (stat(path, &status) < 0) {
            snprintf(error, TRANSPORT_ERROR_BYTES, "%s: %s", path, strerror(errno));
            return NULL;
        }
        if (S_ISSOCK(status.st_mode))
            return open_unix(path, error);
        if (S_ISCHR(status.st_mode))
            return open_tty(path, baud, error);
        snprintf(error, TRANSPORT_ERROR_BYTES,
                 "%s: neither a serial device nor a socket (to read a log: trapline explain %s)",
                 path, path);
        return NULL;
    }
    return open_tcp(target, timeout_ms, error);
}
