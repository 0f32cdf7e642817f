// SPDX-License-Identifier: Apache-2.0
// A gateway that runs out of file descriptors: callers are told, nothing spins or dies, and it recovers by itself.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import net from "node:net";
import { after, before, test } from "node:test";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, sleep, usProfile } from "./portolan.mjs";

let portolan;
before(async () => (portolan = await Portolan.up()));
after(() => portolan?.stop());

const pid = () => portolan.running.child.pid;
const descriptors = () => readdirSync(`/proc/${pid()}/fd`).length;
const limitTo = (count) => execFileSync("prlimit", ["--pid", `${pid()}`, `--nofile=${count}:`]);
/** Processor time in ticks of 10 ms, all threads. */
const cpuTicks = () => readFileSync(`/proc/${pid()}/stat`, "utf8").split(" ").slice(13, 15).reduce((sum, ticks) => sum + Number(ticks), 0);

const input = { modelId: usProfile, messages: [{ role: "user", content: [{ text: "Hello." }] }], inferenceConfig: { maxTokens: 5 } };
const call = () => portolan.runtime({ maxAttempts: 1 }).send(new ConverseCommand(input));

/** A connection that asks for something: { status, socket }; status 0 when it was closed without an answer. */
function ask() {
  const { hostname, port } = new URL(portolan.gateway);
  return new Promise((resolve) => {
    const socket = net.connect({ host: hostname, port });
    let text = "";
    const done = () => resolve({ status: Number(text.match(/^HTTP\/1.1 (\d+)/)?.[1] ?? 0), text, socket });
    socket.on("connect", () => socket.write("GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    socket.on("data", (bytes) => {
      text += bytes;
      if (text.includes("\r\n\r\n")) done();
    });
    socket.on("error", done).on("close", done);
    socket.setTimeout(5_000, done);
  });
}

async function metric(name) {
  const reply = await fetch(`${portolan.admin}/metrics`, { headers: { authorization: `Bearer ${portolan.ready.admin_key}` } });
  return Number((await reply.text()).match(new RegExp(`^${name} (.*)$`, "m"))?.[1]);
}

test("the last quarter of the descriptors is kept for Regions and the trail: more callers are told 503", async () => {
  await call();
  limitTo(Math.ceil(((descriptors() + 20) * 4) / 3));
  const asked = [];
  for (let i = 0; i < 40; i += 1) asked.push(await ask());
  const statuses = asked.map(({ status }) => status);
  assert.ok(statuses.filter((status) => status === 401).length >= 5, `${statuses}`);
  const refused = asked.filter(({ status }) => status === 503);
  assert.ok(refused.length >= 5, `${statuses}`);
  assert.match(refused[0].text, /retry-after: 1\r\n/);
  assert.ok(statuses.every((status) => status === 401 || status === 503), `${statuses}`);
  assert.ok((await metric("portolan_connections_refused_total")) >= refused.length);
  asked.forEach(({ socket }) => socket.destroy());
  await sleep(200);
  await call();
});

test("with none left, callers are still told or closed, the processor rests, and calls work again afterwards", async () => {
  const held = [await ask(), await ask()];
  limitTo(descriptors() - 5);
  const before = cpuTicks();
  const asked = await Promise.all(Array.from({ length: 60 }, ask));
  await sleep(1_000);
  assert.ok(cpuTicks() - before < 60, `${cpuTicks() - before} ticks of processor time in one second`);
  assert.ok(asked.every(({ status }) => status === 503 || status === 0), `${asked.map(({ status }) => status)}`);
  asked.concat(held).forEach(({ socket }) => socket.destroy());
  limitTo(4096);
  await sleep(200);
  await call();
  assert.equal(portolan.running.child.exitCode, null);
});
