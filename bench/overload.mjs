// SPDX-License-Identifier: Apache-2.0
// ./dev bench overload: what becomes of a critical tenant's calls when batch calls alone are more than the gateway can take.
//
// One core for the gateway, one for the load and the upstream. First the critical tenant alone, then with batch callers who
// ask twice what the gateway can do (measured in the same run). Reported: how many were served, how fast, and who was refused.
import { execFileSync } from "node:child_process";
import os from "node:os";
import { cannedUpstream, gateway, load, strike } from "./stage.mjs";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const seconds = option("seconds", 10);

const key = (id) => ({ id, secret: "bench-secret" });
const row = (name, report) => {
  const seconds_ = report.elapsed_s ?? seconds;
  return `| ${name} | ${Math.round(report.sent / seconds_)} | ${Math.round(report.complete / seconds_)} | ` +
    `${((1 - report.complete / report.sent) * 100).toFixed(1)} % | ${report.total.p50_ms ?? report.total.p50} | ${report.total.p99_ms ?? report.total.p99} |`;
};

async function main() {
  const apiKey = "bench-key";
  const batch = { ...key("AKIAPORTOLANBENCH001"), apiKeySha256: execFileSync("sha256sum", { input: apiKey, encoding: "utf8" }).slice(0, 64) };
  const critical = key("AKIAPORTOLANBENCH002");
  const canned = await cannedUpstream();
  const tenants = `  - name: critical\n    class: critical\n    account_id: "444455556666"\n    keys: [{name: urgent, access_key_id: ${critical.id}, secret_access_key: ${critical.secret}}]\n`;
  const running = await gateway(`127.0.0.1:${canned.port}`, batch, [], { batch: true, tenants });
  const shape = ["--request-bytes", 1024, "--output-tokens", 100, "--for", `${seconds}s`];
  await load(running, batch, ["--concurrency", 16, "--request-bytes", 1024, "--output-tokens", 100, "--for", "1s"]);
  const capacity = await load(running, batch, ["--concurrency", 64, ...shape]);
  const rate = capacity.complete / seconds;
  const alone = await load(running, critical, ["--rate", Math.round(rate / 10), ...shape]);
  const [among, flood] = await Promise.all([
    load(running, critical, ["--rate", Math.round(rate / 10), ...shape]),
    load(running, batch, ["--concurrency", 4000, ...shape]),
  ]);
  console.log(
    [
      `Machine: ${os.cpus()[0].model}, ${os.cpus().length} cores, Linux ${os.release()}. Date: ${new Date().toISOString().slice(0, 10)}. ${seconds} s each.`,
      "",
      "| who | asked a second | served a second | refused | p50 ms | p99 ms |",
      "|---|---|---|---|---|---|",
      row("batch alone, 64 at once: the capacity", capacity),
      row("critical alone, a tenth of the capacity", alone),
      row("critical, beside 4,000 batch callers at once", among),
      row("those batch callers", flood),
    ].join("\n"),
  );
}

try {
  await main();
} finally {
  await strike();
}
