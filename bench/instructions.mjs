// SPDX-License-Identifier: Apache-2.0
// ./dev bench instructions: user-space instructions of a call, stop by stop, counted by callgrind.
//
// Instructions are the same whatever else the machine does, so they can gate where time cannot. The gateway runs twice
// under callgrind, with few calls and with many; the difference is what the calls cost, without start and end. Valgrind
// has no SHA extensions: OpenSSL falls back to code that takes some 15 instructions a byte, so hashing is told apart.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cannedUpstream, directory, gateway, load, portolan, strike } from "./stage.mjs";

const record = path.resolve(import.meta.dirname, "../docs/benchmarks/instructions.json");
const tolerance = 1.03;
const few = 200;
const many = 1200;
const stops = [
  ["read the request head", /wire::read_request_head\(/],
  ["1 receive", /gateway::receive\(/],
  ["2 identify, without the body's hash", /Keyring::identify\(/],
  ["3 understand", /gateway::understand\(/],
  ["4 permit", /gateway::permit\(/],
  ["5 reserve", /gateway::reserve\(/],
  ["6 plan", /gateway::plan\(/],
  ["7 attempt: write and sign the request", /Journey::request_head/],
  ["7 attempt: read the reply's head", /wire::read_response_head\(/],
  ["7 attempt: read the reply's usage", /BodyReader::usage\(/],
  ["8 settle", /Journey::settle\(/],
  ["9 record", /trail::write_record\(/],
];

/** Instructions by function, those of its callees included, and in all. */
async function count(upstream, keys, calls) {
  const out = path.join(directory, `callgrind-${calls}`);
  const stripped = path.join(directory, "portolan"); // valgrind 3.19 cannot read clang 19's debug information
  execFileSync("objcopy", ["--strip-debug", portolan, stripped]);
  const served = await gateway(upstream, keys, ["valgrind", "--tool=callgrind", `--callgrind-out-file=${out}`, stripped]);
  const report = await load(served, keys, ["--concurrency", 16, "--calls", calls, "--request-bytes", 4096, "--output-tokens", 100]);
  if (report.complete !== calls) throw new Error(JSON.stringify(report.errors));
  served.child.kill("SIGTERM");
  await new Promise((resolve) => served.child.on("close", resolve));
  const annotate = (...options) => execFileSync("callgrind_annotate", ["--threshold=100", ...options, out], { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] });
  const lines = annotate("--inclusive=yes").split("\n").map((line) => /^\s*([\d,]+) \([^)]*\)\s+(.*)$/.exec(line)).filter(Boolean);
  const own = annotate("--inclusive=no").split("\n").map((line) => /^\s*([\d,]+) \([^)]*\)\s+(.*)$/.exec(line)).filter(Boolean);
  const number = (text) => Number(text.replaceAll(",", ""));
  const sum = (rows, pattern) => rows.filter(([, , name]) => pattern.test(name)).reduce((total, [, value]) => total + number(value), 0);
  return { total: sum(own, /PROGRAM TOTALS/), crypto: sum(own, /libcrypto/), stops: stops.map(([, pattern]) => sum(lines.filter(([, , name]) => !/resume|lambda/.test(name)).slice(0), pattern)) };
}

try {
  const keys = { id: "AKIAPORTOLANBENCH001", secret: "bench-secret", apiKeySha256: "0".repeat(64) };
  const canned = await cannedUpstream();
  const upstream = `127.0.0.1:${canned.port}`;
  const low = await count(upstream, keys, few);
  const high = await count(upstream, keys, many);
  const per = (a, b) => Math.round((b - a) / (many - few));
  const all = per(low.total, high.total);
  const hashing = per(low.crypto, high.crypto);
  console.log("| what | instructions a call |\n|---|---|");
  stops.forEach(([name], at) => console.log(`| ${name} | ${per(low.stops[at], high.stops[at])} |`));
  console.log(`| hashing (OpenSSL without SHA extensions), in all stops | ${hashing} |`);
  console.log(`| the whole call without hashing, user space | ${all - hashing} |`);
  if (process.argv.includes("--record")) {
    writeFileSync(record, `${JSON.stringify({ instructions_per_call: all - hashing }, null, 2)}\n`);
  } else {
    const limit = JSON.parse(readFileSync(record, "utf8")).instructions_per_call * tolerance;
    console.log(`\nrecorded: ${Math.round(limit / tolerance)}; at most ${Math.round(limit)} is allowed (docs/benchmarks/instructions.json)`);
    if (all - hashing > limit) {
      console.log("MORE than recorded: find the cause, or record the new figure with --record and say why in the commit");
      process.exitCode = 1;
    }
  }
} finally {
  await strike();
}
