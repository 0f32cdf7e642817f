// SPDX-License-Identifier: Apache-2.0
// Reloads the gateway's configuration again and again while calls come at a steady rate: none may fail, none may go
// unrecorded.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Portolan, lines, run, sleep, usProfile } from "./portolan.mjs";
import { serveBefore } from "./serving.mjs";

export async function reloadUnderLoad(t, { reloads, rate, seconds }) {
  const scratch = await mkdtemp(path.join(tmpdir(), "portolan-reload-"));
  const sandbox = await Portolan.up({ timeScale: 20 });
  t.after(async () => {
    await sandbox.stop();
    await rm(scratch, { recursive: true, force: true });
  });
  const gateway = await serveBefore(sandbox, path.join(scratch, "gateway"));
  t.after(() => gateway.running.terminate());

  const loading = run(
    ["load", "--json", "--quiet", "--url", gateway.gateway, "--model", usProfile, "--api-key", gateway.apiKey, "--rate", `${rate}`, "--for", `${seconds}s`, "--output-tokens", "5"],
    { limitMs: (seconds + 60) * 1_000 },
  );
  const pause = (seconds * 1_000) / (reloads + 1);
  for (let i = 0; i < reloads; i += 1) {
    // Now with a tenant more, now with one less: every reload builds another snapshot.
    const extra = `  - name: passing${i}\n    account_id: "777788889999"\n    keys:\n      - {name: k${i}, api_key_sha256: ${(i + 1).toString(16).padStart(64, "0")}}\n`;
    await writeFile(gateway.file, i % 2 === 0 ? gateway.text.replace(/^tenants:\n/m, `tenants:\n${extra}`) : gateway.text);
    gateway.running.signal("SIGHUP");
    await sleep(pause);
  }
  const inForce = () => (gateway.running.log.match(/in force/g) ?? []).length;
  await gateway.running.until(() => inForce() >= reloads, `reloaded ${reloads} times (${inForce()} so far)`, 10_000);
  const { code, stdout, stderr } = await loading;
  const [report] = lines(stdout);
  assert.equal(code, 0, `${stderr}${stdout}`);
  assert.equal(report.complete, report.sent);
  assert.ok(report.sent > rate * seconds * 0.9, `only ${report.sent} calls were sent`);
  assert.equal((await gateway.running.terminate(10_000)).code, 0, gateway.running.log);
  const found = await run(["trail", "lookup", "--data-dir", gateway.dataDir, "--limit", "0", "--json"], { limitMs: 120_000 });
  assert.equal(found.stdout.split("\n").filter(Boolean).length, report.sent, "one record for each call");
  t.diagnostic(`${reloads} reloads, ${report.sent} calls at ${rate} a second, p99 ${report.total.p99_ms ?? report.total.p99} ms`);
}
