// SPDX-License-Identifier: Apache-2.0
// ./dev bench crowd: what good callers feel of ten thousand idle and a thousand slow ones.
//
// The gateway with everything on stands on one core; the load, the crowd and the upstream share the other. 1,000 good
// calls a second (open loop) are measured with the crowd and without it, in turn. nginx as a plain proxy takes the same.
// The slow ones begin over ten seconds, as long as the gateway bears with one; with --slow-over 0 all in one moment.
import { execFileSync } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { cannedUpstream, gateway, load, loadCore, nginxProxy, residentMib, sleep, start, strike, until } from "./stage.mjs";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const rounds = option("rounds", 3);
const seconds = option("seconds", 10);
const idle = option("idle", 10_000);
const slow = option("slow", 1_000);
const rate = option("rate", 1_000);
const overS = option("slow-over", 10);

const memoryCapMib = 256;
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const spread = (values) => `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`;

async function measure(variant, keys) {
  const report = await load(variant, keys, ["--rate", rate, "--for", `${seconds}s`, "--request-bytes", 1024, "--output-tokens", 100]);
  if (report.complete !== report.sent) throw new Error(`${variant.name}: ${JSON.stringify(report.errors)}`);
  return { p50: report.total.p50_ms ?? report.total.p50, p99: report.total.p99_ms ?? report.total.p99, mib: residentMib(variant.pid) };
}

async function crowded(variant, keys) {
  // Behind the load generator in line for their core: what is measured is the gateway, not their quarrel.
  const crowd = start(loadCore, "nice", ["-n", "19", process.execPath, path.join(import.meta.dirname, "crowd_clients.mjs"), variant.port, idle, slow, overS]);
  await until(() => crowd.out.includes("ready"), "all of the crowd connected");
  await sleep(2_000);
  const figures = await measure(variant, keys);
  const gone = new Promise((resolve) => crowd.on("close", resolve));
  crowd.kill("SIGTERM");
  await gone;
  const counts = JSON.parse(crowd.out.trim().split("\n").at(-1));
  await sleep(1_000);
  return { ...figures, sentAway: counts.sentAway, open: counts.open };
}

async function main() {
  const apiKey = "bench-key";
  const keys = { id: "AKIAPORTOLANBENCH001", secret: "bench-secret", apiKey,
    apiKeySha256: execFileSync("sha256sum", { input: apiKey, encoding: "utf8" }).slice(0, 64) };
  const canned = await cannedUpstream();
  const address = `127.0.0.1:${canned.port}`;
  const variants = [
    { name: "nginx", ...(await nginxProxy(address)) },
    { name: "portolan", ...(await gateway(address, keys)) },
  ];
  const lines = [
    `Machine: ${os.cpus()[0].model}, ${os.cpus().length} cores, Linux ${os.release()}. Date: ${new Date().toISOString().slice(0, 10)}. ` +
      `${rounds} rounds of ${seconds} s; median (least–most).`,
    "",
    `| variant | p50 ms alone | p50 ms in the crowd | p99 ms alone | p99 ms in the crowd | × | resident MiB alone | in the crowd | sent away |`,
    "|---|---|---|---|---|---|---|---|---|",
  ];
  const verdicts = [];
  for (const variant of variants) {
    const alone = [];
    const crowd = [];
    await measure(variant, keys); // warms up
    for (let round = 0; round < rounds; round += 1) {
      alone.push(await measure(variant, keys));
      crowd.push(await crowded(variant, keys));
    }
    const ratios = crowd.map(({ p99 }, round) => p99 / alone[round].p99);
    const mib = Math.max(...crowd.map((figures) => figures.mib));
    lines.push(`| ${variant.name} | ${spread(alone.map(({ p50 }) => p50))} | ${spread(crowd.map(({ p50 }) => p50))} | ` +
      `${spread(alone.map(({ p99 }) => p99))} | ${spread(crowd.map(({ p99 }) => p99))} | ${spread(ratios)} | ` +
      `${alone[0].mib.toFixed(1)} | ${mib.toFixed(1)} | ${crowd.map(({ sentAway }) => sentAway).join(", ")} |`);
    if (variant.name === "portolan")
      verdicts.push(
        `| p99 of good calls in the crowd | at most 2 × alone | **${median(ratios).toFixed(2)} ×** |`,
        `| memory in the crowd | at most ${memoryCapMib} MiB | **${mib.toFixed(1)} MiB** |`,
      );
  }
  console.log([...lines, "", "| line | wanted | measured |", "|---|---|---|", ...verdicts].join("\n"));
}

try {
  await main();
} finally {
  await strike();
}
