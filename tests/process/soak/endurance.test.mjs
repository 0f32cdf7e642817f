// SPDX-License-Identifier: Apache-2.0
// Half an hour of mixed load with random faults: memory and descriptors stay flat, no record is missing.
//
// The gateway is a process of its own, so that what is watched is the gateway and not the sandbox. Callers of every kind
// share it: whole and streamed calls over HTTP/1.1 and h2c, bearer keys and SigV4, chat completions, callers who leave
// before the end, and hostile ones. Faults come and go in the Regions at random. PORTOLAN_SOAK_MINUTES shortens it;
// PORTOLAN_SOAK_REPORT=FILE writes the report as a page.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os, { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { hostileKinds } from "../hostile.mjs";
import { Portolan, binary, globalProfile, randomFrom, seed, sleep, usDestinations, usProfile } from "../portolan.mjs";
import { serveBefore } from "../serving.mjs";
import { converse } from "../stream_client.mjs";

const minutes = Number(process.env.PORTOLAN_SOAK_MINUTES ?? 30);
const callers = Number(process.env.PORTOLAN_SOAK_CALLERS ?? 40);
const sampleEveryMs = Math.min(10_000, (minutes * 60_000) / 40);
const timeScale = 10;

const faults = [
  ["refuse"], ["drop"], ["slow", "5"], ["first-token", "3s"], ["throttle"], ["unavailable"], ["error", "500"],
  ["cut", "3"], ["stall", "2"], ["malformed"],
];

async function residentMib(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

const descriptors = async (pid) => (await readdir(`/proc/${pid}/fd`)).length;

/** One call or connection of a random kind. Gives { kind, outcome, callId, complete }. */
async function oneCall(gateway, clients, hostile, random) {
  const text = `A caller of the soak. #tokens=${1 + random.below(40)}`;
  const modelId = random.pick([usProfile, globalProfile]);
  const kind = random.pick(["whole", "stream", "stream", "sdk h2c", "sdk http/1.1", "chat", "leaves", "hostile"]);
  if (kind === "whole" || kind === "stream") {
    const call = await converse(gateway, { modelId, text, stream: kind === "stream" });
    return { kind, outcome: call.complete ? "complete" : call.error, callId: call.callId, complete: call.complete };
  }
  if (kind === "leaves") {
    const signal = AbortSignal.timeout(5 + random.below(400));
    const call = await converse(gateway, { modelId, text: "#tokens=60", stream: random.next() < 0.5, signal });
    return { kind, outcome: call.complete ? "complete" : "left", callId: call.callId, complete: call.complete };
  }
  if (kind === "chat") {
    const reply = await fetch(`${gateway.gateway}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${gateway.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ model: modelId, messages: [{ role: "user", content: text }] }),
    }).catch((error) => ({ status: error.cause?.code ?? "failed", headers: new Headers() }));
    if (reply.body) await reply.arrayBuffer().catch(() => {});
    return { kind, outcome: reply.status === 200 ? "complete" : `status ${reply.status}`, callId: reply.headers.get("x-portolan-call-id"), complete: reply.status === 200 };
  }
  if (kind === "hostile") {
    const { make } = random.pick(hostile);
    const { hostname, port } = new URL(gateway.gateway);
    await new Promise((resolve) => {
      const socket = net.connect(Number(port), hostname).setTimeout(5_000, () => socket.destroy());
      socket.on("error", () => {}).on("close", resolve).resume();
      socket.end(make(random));
    });
    return { kind, outcome: "refused", complete: false };
  }
  const client = clients[kind];
  try {
    const reply = await client.send(new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text }] }], inferenceConfig: { maxTokens: 100 } }));
    return { kind, outcome: "complete", callId: reply.$metadata.portolan.callId, complete: true };
  } catch (error) {
    return { kind, outcome: error.name, callId: error.portolan?.callId, complete: false };
  }
}

/** Call id → records of it, read line by line: half an hour of records is too much for one string. */
async function recordsOf(dataDir) {
  const found = new Map();
  const lookup = spawn(binary, ["trail", "lookup", "--data-dir", dataDir, "--limit", "0", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: lookup.stdout })) {
    const { requestID } = JSON.parse(line);
    found.set(requestID, (found.get(requestID) ?? 0) + 1);
  }
  return found;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

test(`${minutes} minutes of mixed load with random faults (seed ${seed})`, { timeout: (minutes + 10) * 60_000 }, async (t) => {
  const random = randomFrom(seed);
  const scratch = await mkdtemp(path.join(tmpdir(), "portolan-soak-"));
  const sandbox = await Portolan.up({ timeScale });
  t.after(async () => {
    await sandbox.stop();
    await rm(scratch, { recursive: true, force: true });
  });
  const gateway = await serveBefore(sandbox, path.join(scratch, "gateway"));
  t.after(() => gateway.running.terminate());
  const pid = gateway.running.child.pid;
  const clients = {
    "sdk h2c": sandbox.runtime({ endpoint: gateway.gateway, maxAttempts: 1 }),
    "sdk http/1.1": sandbox.runtimeOverHttp1({ endpoint: gateway.gateway, maxAttempts: 1 }),
  };
  const hostile = hostileKinds(gateway.apiKey);

  const begun = performance.now();
  const endsAt = begun + minutes * 60_000;
  const outcomes = new Map();
  const callIds = new Set();
  let injected = 0;
  const work = async () => {
    while (performance.now() < endsAt) {
      const { kind, outcome, callId, complete } = await oneCall(gateway, clients, hostile, random);
      const key = `${kind}: ${outcome}`;
      outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
      if (complete) callIds.add(callId);
    }
  };
  const trouble = async () => {
    while (performance.now() < endsAt) {
      await sandbox.fault(random.pick(usDestinations), ...random.pick(faults), "--share", (0.2 + random.next() * 0.8).toFixed(2), "--for", `${1 + random.below(5)}s`);
      injected += 1;
      await sleep(1_000 + random.below(4_000));
    }
  };
  const samples = [];
  const watch = async () => {
    while (performance.now() < endsAt) {
      samples.push({ minute: (performance.now() - begun) / 60_000, mib: await residentMib(pid), descriptors: await descriptors(pid) });
      await sleep(sampleEveryMs);
    }
  };
  await Promise.all([...Array.from({ length: callers }, work), trouble(), watch()]);
  await sandbox.clear();
  await sleep(3_000);
  const rest = { mib: await residentMib(pid), descriptors: await descriptors(pid) };
  assert.equal((await gateway.running.terminate(20_000)).code, 0, gateway.running.log);

  // What warms up in the first quarter is not growth: the second quarter is held against the last.
  const quarter = (i) => samples.slice(Math.floor((samples.length * i) / 4), Math.floor((samples.length * (i + 1)) / 4));
  const [early, late] = [quarter(1), quarter(3)].map((some) => ({ mib: mean(some.map(({ mib }) => mib)), descriptors: mean(some.map((sample) => sample.descriptors)) }));
  const records = await recordsOf(gateway.dataDir);
  const missing = [...callIds].filter((id) => records.get(id) !== 1);
  const total = [...outcomes.values()].reduce((sum, times) => sum + times, 0);
  const report = [
    `Machine: ${os.cpus()[0].model}, ${os.cpus().length} cores. Date: ${new Date().toISOString().slice(0, 10)}. Seed ${seed}.`,
    "",
    "| what | figure |",
    "|---|---|",
    `| duration | ${minutes} min |`,
    `| calls and connections | ${total} by ${callers} callers |`,
    `| faults in Regions | ${injected} |`,
    `| calls that a caller saw complete | ${callIds.size} |`,
    `| of them without exactly one record | ${missing.length} |`,
    `| records | ${records.size} |`,
    `| resident memory, second quarter → last quarter | ${early.mib.toFixed(1)} → ${late.mib.toFixed(1)} MiB |`,
    `| most | ${Math.max(...samples.map(({ mib }) => mib)).toFixed(1)} MiB |`,
    `| descriptors, second quarter → last quarter, and at rest afterwards | ${early.descriptors.toFixed(0)} → ${late.descriptors.toFixed(0)}, ${rest.descriptors} |`,
    "",
    "| outcome | times |",
    "|---|---|",
    ...[...outcomes].sort().map(([outcome, times]) => `| ${outcome} | ${times} |`),
  ].join("\n");
  t.diagnostic(report);
  if (process.env.PORTOLAN_SOAK_REPORT) await writeFile(process.env.PORTOLAN_SOAK_REPORT, `${report}\n`);
  assert.deepEqual(missing, [], `${missing.length} of ${callIds.size} complete calls lack their one record`);
  assert.ok(callIds.size > minutes * 60, `only ${callIds.size} calls were complete: no load`);
  assert.ok(late.mib < early.mib * 1.05 + 4, `memory grew from ${early.mib.toFixed(1)} to ${late.mib.toFixed(1)} MiB`);
  assert.ok(late.descriptors < early.descriptors * 1.2 + 20, "descriptors grew");
  assert.ok(rest.descriptors < early.descriptors + 20, `${rest.descriptors} descriptors are open at rest`);
  assert.doesNotMatch(gateway.running.log, /Sanitizer|runtime error|terminate called/);
});
