// SPDX-License-Identifier: Apache-2.0
// Ten thousand hostile connections: each is refused clearly or closed, each answer has its record, and afterwards the
// gateway serves as before. PORTOLAN_HOSTILE changes the count; PORTOLAN_TEST_SEED repeats a run.
import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { corpusKinds, hostileKinds } from "./hostile.mjs";
import { Portolan, randomFrom, seed, usProfile } from "./portolan.mjs";

const count = Number(process.env.PORTOLAN_HOSTILE ?? 10_000);
const atOnce = 24;
const answerLimitMs = 15_000;
const patienceMs = 250;

let portolan;
before(async () => (portolan = await Portolan.up()));
after(() => portolan?.stop());

/**
 * Sends `bytes`, ends its side, and gives what came until the gateway closed; null when it never did. Over HTTP/2 the
 * end of our side ends every stream, so it waits for an answer first.
 */
function exchange({ speaks }, bytes) {
  const { hostname, port } = new URL(portolan.gateway);
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), hostname);
    const came = [];
    const limit = setTimeout(() => {
      socket.destroy();
      resolve(null);
    }, answerLimitMs);
    const patience = speaks === "http2" && setTimeout(() => socket.end(), patienceMs);
    socket.on("data", (chunk) => {
      came.push(chunk);
      if (patience && frameTypes(Buffer.concat(came)).some((type) => endsWait.has(type))) socket.end();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(limit);
      clearTimeout(patience);
      resolve(Buffer.concat(came));
    });
    if (patience) socket.write(bytes);
    else socket.end(bytes);
  });
}

/** An answer, a reset, a farewell. */
const endsWait = new Set([1, 3, 7]);

function* frames(bytes) {
  for (let at = 0; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    yield { type: bytes[at + 3], payload: bytes.subarray(at + 9, at + 9 + length) };
    at += 9 + length;
  }
}

const frameTypes = (bytes) => Array.from(frames(bytes), ({ type }) => type);

/** The answers in what an HTTP/1.1 connection gave: [{ status, callId }]. */
function answers(bytes) {
  const found = [];
  let rest = bytes.toString("latin1");
  while (rest.startsWith("HTTP/1.1 ")) {
    const end = rest.indexOf("\r\n\r\n");
    assert.ok(end > 0, "an answer's head is whole");
    const head = rest.slice(0, end);
    const status = Number(head.slice(9, 12));
    const length = Number(head.match(/\r\ncontent-length: (\d+)/i)?.[1] ?? 0);
    rest = rest.slice(end + 4 + length);
    if (status >= 200) found.push({ status, callId: head.match(/\r\nx-portolan-call-id: (\S+)/i)?.[1] });
  }
  return { found, rest };
}

/** The statuses in what an HTTP/2 connection gave, each the first field of its header block (RFC 7541). */
const statuses = (bytes) => Array.from(frames(bytes)).filter(({ type }) => type === 1).map(({ payload }) => firstStatus(payload));

function firstStatus(block) {
  const fixed = { 0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500 };
  if (fixed[block[0]]) return fixed[block[0]];
  const length = block[1] & 0x7f;
  const value = block.subarray(2, 2 + length);
  if ((block[1] & 0x80) === 0) return Number(value.toString("latin1"));
  // Huffman: 0 to 2 have five bits, 3 to 9 six.
  const bits = Array.from(value, (byte) => byte.toString(2).padStart(8, "0")).join("");
  let digits = "";
  for (let at = 0; digits.length < 3; ) {
    const five = parseInt(bits.slice(at, at + 5), 2);
    digits += five < 3 ? five : parseInt(bits.slice(at, at + 6), 2) - 0b011001 + 3;
    at += five < 3 ? 5 : 6;
  }
  return Number(digits);
}

/** What is wrong with how the gateway took `bytes`; undefined when nothing is. */
async function fault(kind, bytes, callIds) {
  const came = await exchange(kind, bytes);
  if (came === null) return `neither answered nor closed within ${answerLimitMs} ms`;
  if (kind.speaks === "http2") {
    const wrong = statuses(came).find((status) => !kind.allow(status));
    return wrong && `answered ${wrong}`;
  }
  const { found, rest } = answers(came);
  // Mutated bytes may turn into the beginning of HTTP/2, which answers in frames.
  if (rest.length > 0 && found.length > 0) return `bytes behind the answer: ${JSON.stringify(rest.slice(0, 60))}`;
  for (const { status, callId } of found) {
    if (!kind.allow(status)) return `answered ${status}`;
    if (!callId) return `the answer ${status} names no call`;
    callIds.push(callId);
  }
  // One connection, one refusal: whatever was smuggled behind it must not be read as a request.
  if (kind.name.startsWith("HTTP/1.1") && found.length > 1) return `${found.length} answers`;
}

async function send(kinds, pick, total, random) {
  const faults = new Map();
  const callIds = [];
  let begun = 0;
  const worker = async () => {
    while (begun < total) {
      const kind = pick(begun++, kinds);
      const bytes = kind.make(random);
      const wrong = await fault(kind, bytes, callIds);
      if (wrong && !faults.has(kind.name)) faults.set(kind.name, `${wrong} to ${JSON.stringify(bytes.subarray(0, 300).toString("latin1"))}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { faults, callIds };
}

/** Every answer has exactly one record. */
async function assertRecorded(callIds) {
  const records = new Map();
  for (const { requestID } of await portolan.trail("--limit", 0)) records.set(requestID, (records.get(requestID) ?? 0) + 1);
  const missing = callIds.filter((callId) => records.get(callId) !== 1);
  assert.deepEqual(missing, []);
}

async function assertServes() {
  const ask = new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: "Hello. #tokens=3" }] }], inferenceConfig: { maxTokens: 10 } });
  for (const client of [portolan.runtime({ maxAttempts: 1 }), portolan.runtimeOverHttp1({ maxAttempts: 1 })]) assert.ok((await client.send(ask)).output.message);
}

function assertQuiet() {
  assert.doesNotMatch(portolan.log, /Sanitizer|runtime error|CHECK|terminate called/);
}

test(`${count} hostile connections are refused or closed, and leave the gateway well (seed ${seed})`, { timeout: 900_000 }, async () => {
  const random = randomFrom(seed);
  // Every kind in turn, so that each is met even when the count is small.
  const { faults, callIds } = await send(hostileKinds(portolan.apiKey), (i, kinds) => kinds[i % kinds.length], count, random);
  assert.deepEqual(Object.fromEntries(faults), {});
  assert.ok(callIds.length > count / 4, `only ${callIds.length} answers`);
  await assertServes();
  await assertRecorded(callIds);
  assertQuiet();
});

test("what the fuzzers found is refused or harmless where the gateway reads it", async () => {
  const kinds = corpusKinds(portolan.apiKey);
  const { faults, callIds } = await send(kinds, (i) => kinds[i], kinds.length, randomFrom(seed));
  assert.deepEqual(Object.fromEntries(faults), {});
  await assertServes();
  await assertRecorded(callIds);
  assertQuiet();
});
