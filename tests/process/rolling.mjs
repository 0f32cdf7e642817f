// SPDX-License-Identifier: Apache-2.0
// Replaces a running gateway by its successor again and again while calls of every kind come: none may fail, none may go
// unrecorded.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, lines, run, sleep, usProfile } from "./portolan.mjs";
import { serveBefore } from "./serving.mjs";
import { converse } from "./stream_client.mjs";

/** Whether a process has not ended. One that nobody has reaped has, all the same. */
async function lives(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

/** Whether it is a gateway with that configuration, and no other process that got its number since. */
async function serves(pid, file) {
  const words = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return words.split("\0").includes(file);
}

/** A gateway that is replaced by its successors: whichever process serves, under one log. */
export class Rolling {
  /** `portolan serve` before the sandbox of `sandbox`; ended with the test `t`. */
  static async serve(t, sandbox, dataDir, change) {
    const rolling = new Rolling(await serveBefore(sandbox, dataDir, change));
    t.after(() => rolling.kill());
    return rolling;
  }

  constructor(gateway) {
    Object.assign(this, gateway);
    this.pid = gateway.running.child.pid;
    this.pids = [this.pid];
    this.exited = new Promise((resolve) => gateway.running.child.on("exit", (code, signal) => resolve({ code, signal })));
  }

  get log() {
    return this.running.log;
  }

  signal(name) {
    process.kill(this.pid, name);
  }

  /** Resolves when the log has `pattern` for the `times`th time. */
  async logged(pattern, times = 1, limitMs = 30_000) {
    const count = () => [...this.log.matchAll(new RegExp(pattern, "g"))];
    for (const begun = performance.now(); performance.now() - begun < limitMs; await sleep(10))
      if (count().length >= times) return count()[times - 1];
    throw new Error(`${pattern} is not in the log for the ${times}. time\n${this.log}`);
  }

  /** SIGUSR2; resolves when the successor serves, with the predecessor's process id. */
  async replace() {
    const before = this.pid;
    this.signal("SIGUSR2");
    const [, pid] = await this.logged("process (\\d+) serves from now on", this.pids.length);
    this.pid = Number(pid);
    this.pids.push(this.pid);
    return before;
  }

  async ends(pid, limitMs = 20_000) {
    for (const begun = performance.now(); await lives(pid); await sleep(10))
      if (performance.now() - begun > limitMs) throw new Error(`process ${pid} did not end within ${limitMs} ms\n${this.log}`);
  }

  /** SIGTERM to whoever serves. */
  async stop() {
    this.signal("SIGTERM");
    await this.ends(this.pid);
  }

  async kill() {
    for (const pid of this.pids) if (await serves(pid, this.file)) process.kill(pid, "SIGKILL");
  }

  /** Call id → how many records it has, read from the files. */
  async records() {
    const found = await run(["trail", "lookup", "--data-dir", this.dataDir, "--limit", "0", "--json"], { limitMs: 120_000 });
    assert.equal(found.code, 0, found.stderr);
    const records = new Map();
    for (const { requestID } of lines(found.stdout)) records.set(requestID, 1 + (records.get(requestID) ?? 0));
    return records;
  }

  async checkTrail() {
    const { code, stdout, stderr } = await run(["trail", "check", "--data-dir", this.dataDir]);
    assert.equal(code, 0, stdout + stderr);
  }
}

/** A sandbox whose answers take a moment, and a folder of one's own; both gone after the test. */
export async function sandboxFor(t) {
  const scratch = await mkdtemp(path.join(tmpdir(), "portolan-rolling-"));
  const sandbox = await Portolan.up({ timeScale: 20 });
  t.after(async () => {
    await sandbox.stop();
    await rm(scratch, { recursive: true, force: true });
  });
  return { sandbox, scratch };
}

/** Calls `call` from `callers` callers again and again until `ending()`; gives all results. */
async function again(callers, ending, call) {
  const results = [];
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (!ending()) results.push(await call());
    }),
  );
  return results;
}

export async function rollUnderLoad(t, { handOvers, rate, seconds }) {
  const { sandbox, scratch } = await sandboxFor(t);
  const gateway = await Rolling.serve(t, sandbox, path.join(scratch, "gateway"));
  let ending = false;

  const loading = run(
    ["load", "--json", "--quiet", "--url", gateway.gateway, "--model", usProfile, "--api-key", gateway.apiKey, "--rate", `${rate}`, "--for", `${seconds}s`, "--output-tokens", "5"],
    { limitMs: (seconds + 60) * 1_000 },
  );
  const streaming = again(6, () => ending, () => converse(gateway, { modelId: globalProfile, text: "A tale. #tokens=800" }));
  // One attempt: what the SDK repeats by itself would hide a call that failed.
  const sdks = ["runtime", "runtimeOverHttp1"].map((protocol) => sandbox[protocol]({ endpoint: gateway.gateway, maxAttempts: 1 }));
  const sdkCalls = sdks.map((client) =>
    again(2, () => ending, async () => {
      await sleep(20);
      return client
        .send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: "#tokens=2" }] }] }))
        .then((answer) => ({ complete: true, callId: answer.$metadata.requestId }))
        .catch((error) => ({ complete: false, error: `${error.name}: ${error.message}` }));
    }),
  );

  const begun = performance.now();
  let replaced = 0;
  for (; replaced < handOvers; replaced += 1) {
    await sleep(100);
    await gateway.ends(await gateway.replace());
  }
  const tookMs = performance.now() - begun;
  assert.ok(tookMs < seconds * 1_000, `${handOvers} hand-overs took ${Math.round(tookMs)} ms, longer than the load`);
  const { code, stdout, stderr } = await loading;
  ending = true;
  const [report] = lines(stdout);
  const streams = await streaming;
  const sdk = (await Promise.all(sdkCalls)).flat();
  sdks.forEach((client) => client.destroy());
  await gateway.stop();

  assert.equal(code, 0, `${stderr}${stdout}${gateway.log}`);
  assert.equal(report.complete, report.sent);
  assert.ok(report.sent > rate * seconds * 0.9, `only ${report.sent} calls were sent`);
  const failed = [...streams, ...sdk].filter((call) => !call.complete);
  assert.deepEqual(failed, [], `${failed.length} of ${streams.length + sdk.length} calls failed\n${gateway.log}`);
  assert.equal((await gateway.exited).code, 0, gateway.log);
  assert.equal(gateway.log.match(/stopped, every call was finished/g).length, handOvers + 1, gateway.log);
  const records = await gateway.records();
  assert.equal(records.size, report.sent + streams.length + sdk.length, "one record for each call");
  assert.ok([...records.values()].every((times) => times === 1));
  for (const call of [...streams, ...sdk]) assert.ok(records.has(call.callId), `call ${call.callId} has no record`);
  await gateway.checkTrail();
  t.diagnostic(
    `${handOvers} hand-overs in ${Math.round(tookMs)} ms; ${report.sent} calls at ${rate} a second, ${streams.length} streams, ${sdk.length} calls of the SDK, p99 ${report.total.p99_ms ?? report.total.p99} ms`,
  );
}
