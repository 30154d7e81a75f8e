/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Opcode maps for insn.c, one letter an opcode, sixteen a row as in SDM and APM, "Opcode Maps":
 *   .  nothing follows        M  ModRM             R  ModRM, always a register (mod is ignored)
 *   b  imm8                   B  ModRM + imm8      z  imm16/32 by operand size   Z  ModRM + that
 *   J  relative branch        w  imm16             v  imm16/32/64                e  ENTER: imm16, imm8
 *   f  far pointer            o  moffs             g  group 3: imm8 if /0, /1    G  group 3: imm by size
 *   p  prefix, escape         x  undefined
 * insn_no64 marks what 64-bit code lost. Maps 0F38 and 0F3A only say whether the legacy opcode exists
 * (y): all have ModRM, and all of 0F3A an imm8.
 */
#pragma once

/* clang-format off */
static const char insn_map_one[] =
    "MMMMbz..MMMMbz.p" /* 0 */
    "MMMMbz..MMMMbz.." /* 1 */
    "MMMMbzp.MMMMbzp." /* 2 */
    "MMMMbzp.MMMMbzp." /* 3 */
    "................" /* 4 */
    "................" /* 5 */
    "..MMppppzZbB...." /* 6 */
    "bbbbbbbbbbbbbbbb" /* 7 */
    "BZBBMMMMMMMMMMMM" /* 8 */
    "..........f....." /* 9 */
    "oooo....bz......" /* a */
    "bbbbbbbbvvvvvvvv" /* b */
    "BBw.MMBZe.w..b.." /* c */
    "MMMMbb..MMMMMMMM" /* d */
    "bbbbbbbbJJfb...." /* e */
    "p.pp..gG......MM" /* f */;

static const char insn_map_0f[] =
    "MMMMx.....x.xM.B" /* 0 */
    "MMMMMMMMMMMMMMMM" /* 1 */
    "RRRRxxxxMMMMMMMM" /* 2 */
    "......x.pxpxxxxx" /* 3 */
    "MMMMMMMMMMMMMMMM" /* 4 */
    "MMMMMMMMMMMMMMMM" /* 5 */
    "MMMMMMMMMMMMMMMM" /* 6 */
    "BBBBMMM.MMxxMMMM" /* 7 */
    "JJJJJJJJJJJJJJJJ" /* 8 */
    "MMMMMMMMMMMMMMMM" /* 9 */
    "...MBMxx...MBMMM" /* a */
    "MMMMMMMMMMBMMMMM" /* b */
    "MMBMBBBM........" /* c */
    "MMMMMMMMMMMMMMMM" /* d */
    "MMMMMMMMMMMMMMMM" /* e */
    "MMMMMMMMMMMMMMMM" /* f */;

static const char insn_no64[] =
    "......xx......x." /* 0: PUSH/POP ES, PUSH CS */
    "......xx......xx" /* 1: PUSH/POP SS, DS */
    ".......x.......x" /* 2: DAA, DAS */
    ".......x.......x" /* 3: AAA, AAS */
    "................" /* 4: REX, taken before */
    "................" /* 5 */
    "xx.............." /* 6: PUSHA, POPA */
    "................" /* 7 */
    "..x............." /* 8: the copy of group 1 */
    "..........x....." /* 9: CALL far */
    "................" /* a */
    "................" /* b */
    "..............x." /* c: INTO (LES, LDS are VEX) */
    "....xxx........." /* d: AAM, AAD, SALC */
    "..........x....." /* e: JMP far */
    "................" /* f */;

static const char insn_map_0f38[] =
    "yyyyyyyyyyyy...." /* 0 */
    "y...yy.y....yyy." /* 1 */
    "yyyyyy..yyyy...." /* 2 */
    "yyyyyy.yyyyyyyyy" /* 3 */
    "yy.............." /* 4 */
    "................" /* 5 */
    "................" /* 6 */
    "................" /* 7 */
    "yyy............." /* 8 */
    "................" /* 9 */
    "................" /* a */
    "................" /* b */
    "........yyyyyy.y" /* c */
    "........y..yyyyy" /* d */
    "................" /* e */
    "yy...yy.yyyyy..." /* f */;

static const char insn_map_0f3a[] =
    "........yyyyyyyy" /* 0 */
    "....yyyy........" /* 1 */
    "yyy............." /* 2 */
    "................" /* 3 */
    "yyy.y..........." /* 4 */
    "................" /* 5 */
    "yyyy............" /* 6 */
    "................" /* 7 */
    "................" /* 8 */
    "................" /* 9 */
    "................" /* a */
    "................" /* b */
    "............y.yy" /* c */
    "...............y" /* d */
    "................" /* e */
    "y..............." /* f */;

/* clang-format on */

_Static_assert(sizeof(insn_map_one) == 257 && sizeof(insn_map_0f) == 257 &&
                   sizeof(insn_no64) == 257 && sizeof(insn_map_0f38) == 257 &&
                   sizeof(insn_map_0f3a) == 257,
               "an opcode map has 256 letters");
