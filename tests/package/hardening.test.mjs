// SPDX-License-Identifier: Apache-2.0
// What the compiler and the linker were told about hardening really is in the binary.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { tree } from "./package.mjs";

const binary = `${tree}/portolan`;
const readelf = (...options) => execFileSync("readelf", ["--wide", ...options, binary], { encoding: "utf8", maxBuffer: 1 << 28 });
const headers = readelf("--file-header", "--program-headers");
const dynamic = readelf("--dynamic");
const symbols = readelf("--dyn-syms");
const segment = (name) => headers.match(new RegExp(`^ +${name} .*?0x\\w+ 0x\\w+ ([RWE ]{3}) (?:0x\\w+|0)$`, "m"))?.[1].trim();

test("it is position independent, so that its addresses are random", () => {
  assert.match(headers, /Type: +DYN \(Position-Independent Executable file\)/);
  assert.match(dynamic, /\(FLAGS_1\).*\bPIE\b/);
  assert.doesNotMatch(dynamic, /TEXTREL/);
});

test("full RELRO: every symbol is bound at the start, then the tables are read-only", () => {
  assert.equal(segment("GNU_RELRO"), "R");
  assert.match(dynamic, /\(FLAGS\).*\bBIND_NOW\b/);
  assert.match(dynamic, /\(FLAGS_1\).*\bNOW\b/);
});

test("no memory is both writable and executable, the stack included", () => {
  assert.equal(segment("GNU_STACK").replaceAll(" ", ""), "RW");
  const loads = [...headers.matchAll(/^ +LOAD .*0x\w+ 0x\w+ ([RWE ]{3}) 0x\w+$/gm)].map(([, access]) => access);
  assert.ok(loads.length >= 2);
  assert.deepEqual(loads.filter((access) => /W/.test(access) && /E/.test(access)), []);
});

test("the stack protector and the checked string functions are in use", () => {
  assert.ok(/\b__stack_chk_fail@/.test(symbols), "-fstack-protector-strong had no effect");
  assert.ok(/\b__memcpy_chk@/.test(symbols), "_FORTIFY_SOURCE had no effect");
});

test("it loads libraries from the system's folders only", () => assert.doesNotMatch(dynamic, /\((RPATH|RUNPATH)\)/));

test("calls land on marked places, as CET wants them (x86-64)", () => {
  if (!/Advanced Micro Devices X86-64/.test(headers)) return;
  // The binary as a whole carries no CET note: Debian 12's own start-up objects have none, and the linker marks what all
  // objects agree on. Our code is ready for it all the same.
  const code = execFileSync("objdump", ["--disassemble=main", "--no-show-raw-insn", binary], { encoding: "utf8" });
  assert.match(code, /<main>:\n\s+\w+:\s+endbr64/);
});

test("it does not say in which folder it was built", () => {
  const root = execFileSync("git", ["rev-parse", "--show-toplevel"], { encoding: "utf8", cwd: import.meta.dirname }).trim();
  assert.ok(!readFileSync(binary).includes(root), root);
});
