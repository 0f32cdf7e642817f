// SPDX-License-Identifier: Apache-2.0
// A backup under load, restored to a gateway; damage refused; a data directory of an earlier release.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, repository, run, usProfile } from "./portolan.mjs";
import { converse } from "./stream_client.mjs";

let directory;
let key;
before(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "portolan-backup-"));
  await writeFile(path.join(directory, "key"), "correct horse battery staple\n", { mode: 0o600 });
  key = `file:${path.join(directory, "key")}`;
});
after(() => rm(directory, { recursive: true, force: true }));

const at = (name) => path.join(directory, name);
const backup = (from, to, ...more) => run(["backup", "--data-dir", from, "--to", to, "--key", key, "--json", ...more]);
const restore = (from, to) => run(["restore", "--from", from, "--data-dir", to, "--key", key, "--json"]);

/** Calls without a pause until `stop.now`; complete calls' ids are added to `complete`. */
function load(portolan, complete, stop) {
  return Promise.all(
    Array.from({ length: 12 }, async (_, caller) => {
      while (!stop.now) {
        const call = await converse(portolan, { modelId: caller % 2 ? usProfile : globalProfile, text: "Hello. #tokens=3", stream: caller % 3 === 0 });
        if (call.complete) complete.add(call.callId);
      }
    }),
  );
}

test("a backup under load holds every call that was complete before it, and a gateway starts on it", async () => {
  const portolan = await Portolan.up({ dataDir: at("running"), timeScale: 10 });
  const complete = new Set();
  const stop = { now: false };
  const loading = load(portolan, complete, stop);
  const made = [];
  try {
    for (let round = 0; round < 3; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 400));
      const before = new Set(complete);
      const { code, stdout, stderr } = await backup(portolan.dataDir, at(`backup-${round}`));
      assert.equal(code, 0, stderr);
      made.push({ before, summary: JSON.parse(stdout) });
    }
  } finally {
    stop.now = true;
    await loading;
    await portolan.stop();
  }
  assert.ok(made[0].before.size > 10, `only ${made[0].before.size} calls were complete before: no load`);
  for (const [round, { before, summary }] of made.entries()) {
    const home = at(`restored-${round}`);
    const restored = await restore(at(`backup-${round}`), home);
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal(JSON.parse(restored.stdout).records, summary.records);
    const looked = await run(["trail", "lookup", "--data-dir", home, "--limit", "0", "--json"]);
    const found = new Set(looked.stdout.split("\n").filter(Boolean).map((line) => JSON.parse(line).requestID));
    assert.equal(found.size, summary.records);
    assert.deepEqual([...before].filter((id) => !found.has(id)), [], "complete before the backup, and not in it");
  }
  const last = made.at(-1);
  const again = await Portolan.up({ dataDir: at("restored-2") });
  try {
    assert.equal((await again.trail("--limit", 0)).length, last.summary.records);
    const [some] = last.before;
    assert.equal((await again.record(some)).requestID, some);
    assert.equal((await readFile(at("restored-2/admin.key"), "utf8")), await readFile(at("running/admin.key"), "utf8"));
    assert.equal((await converse(again, { modelId: usProfile, text: "Hello. #tokens=3", stream: false })).status, 200);
  } finally {
    await again.stop();
  }
});

test("the files of a restored directory are its owner's alone", async () => {
  for (const name of ["", "admin.key", "portolan.yaml", "trail", "trail/trail-00000001.seg"])
    assert.equal((await stat(at(path.join("restored-0", name)))).mode & 0o077, 0, name);
});

test("a backup is encrypted, and replaces no file", async () => {
  const bytes = await readFile(at("backup-0"));
  for (const word of ["requestID", "secret_access_key", "admin.key"]) assert.ok(!bytes.includes(word), word);
  const again = await backup(at("running"), at("backup-0"));
  assert.equal(again.code, 2);
  assert.match(again.stderr, /exists/);
});

test("a damaged or cut backup, or the wrong key, is refused by name and leaves nothing behind", async () => {
  const bytes = await readFile(at("backup-0"));
  const changed = Buffer.from(bytes);
  changed[changed.length >> 1] ^= 1;
  await writeFile(at("changed"), changed);
  await writeFile(at("cut"), bytes.subarray(0, bytes.length - 1));
  for (const name of ["changed", "cut"]) {
    const { code, stderr } = await restore(at(name), at("nowhere"));
    assert.equal(code, 1);
    assert.ok(stderr.includes(at(name)), stderr);
  }
  await writeFile(at("wrong-key"), "another passphrase\n", { mode: 0o600 });
  const wrong = await run(["restore", "--from", at("backup-0"), "--data-dir", at("nowhere"), "--key", `file:${at("wrong-key")}`]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /the key is not the one/);
  assert.deepEqual((await readdir(directory)).filter((name) => name.startsWith("nowhere")), []);
});

test("a restore replaces nothing, and a key is never on the command line", async () => {
  const taken = await restore(at("backup-0"), at("running"));
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /is not empty/);
  await mkdir(at("empty"));
  assert.equal((await restore(at("backup-0"), at("empty"))).code, 0);
  const inline = await run(["backup", "--data-dir", at("running"), "--to", at("x"), "--key", "correct horse battery staple"]);
  assert.equal(inline.code, 2);
  assert.ok(!inline.stderr.includes("staple"));
});

test("trail check reads every byte and names what is damaged", async () => {
  assert.equal((await run(["trail", "check", "--data-dir", at("restored-0")])).code, 0);
  const segment = at("restored-0/trail/trail-00000001.seg");
  const bytes = await readFile(segment);
  bytes[100] ^= 1;
  await writeFile(segment, bytes);
  const { code, stdout } = await run(["trail", "check", "--data-dir", at("restored-0")]);
  assert.equal(code, 1);
  assert.ok(stdout.includes(`${segment}: damaged at offset 20`), stdout);
});

/** The data directory of an earlier release as it lay on a disk. Git keeps no modes. */
async function fixture(version, home) {
  await cp(path.join(repository, "testdata/formats", version), home, { recursive: true });
  await chmod(home, 0o700);
  for (const name of await readdir(home)) if (/\.(key|db)$/.test(name)) await chmod(path.join(home, name), 0o600);
}

test("a gateway starts on a data directory of format 1, keeps a copy, and finds its records", async () => {
  await fixture("v1", at("v1"));
  const portolan = await Portolan.up({ dataDir: at("v1") });
  try {
    assert.match(portolan.log, /migrated from format 1 to 2/);
    assert.equal((await portolan.trail("--limit", 0)).length, 12);
    assert.equal((await portolan.record("29d8a7fd-ccbc-49cb-b4a5-95b56e50947b")).eventName, "ChatCompletions");
    assert.deepEqual((await readdir(at("v1/before-format-2/trail"))).sort(), ["trail-00000003.seg"]);
    assert.equal(portolan.ready.admin_key, (await readFile(at("v1/admin.key"), "utf8")).trim());
  } finally {
    await portolan.stop();
  }
});

/** The keys issued in `v2` work, save the revoked one, and its records are found. */
async function checkV2(portolan) {
  const keys = JSON.parse(await readFile(path.join(repository, "testdata/formats/v2.keys.json"), "utf8"));
  const send = ({ access_key_id: accessKeyId, secret_access_key: secretAccessKey }) =>
    portolan
      .runtime({ credentials: { accessKeyId, secretAccessKey } })
      .send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] }));
  assert.equal((await portolan.trail("--limit", 0)).length, 7);
  assert.ok((await send(keys.access_key)).output.message);
  await assert.rejects(send(keys.revoked), { name: "UnrecognizedClientException" });
  assert.equal((await converse({ ...portolan, apiKey: keys.api_key.api_key }, { modelId: usProfile, text: "#tokens=1" })).status, 200);
  const listed = await portolan.json(["key", "list", "--json"]);
  assert.deepEqual(
    listed.map(({ id, state }) => [id, state]).sort(),
    [[keys.access_key.id, "active"], [keys.api_key.id, "active"], [keys.revoked.id, "revoked"]].sort(),
  );
}

test("a gateway starts on a data directory of format 2: issued keys, records", async () => {
  await fixture("v2", at("v2"));
  const portolan = await Portolan.up({ dataDir: at("v2") });
  try {
    await checkV2(portolan);
    assert.equal(portolan.ready.admin_key, (await readFile(at("v2/admin.key"), "utf8")).trim());
  } finally {
    await portolan.stop();
  }
});

test("a backup of format 1 is restored: issued keys, records", async () => {
  const restored = await restore(path.join(repository, "testdata/formats/backup-v1"), at("of-backup-v1"));
  assert.equal(restored.code, 0, restored.stderr);
  assert.equal(JSON.parse(restored.stdout).records, 7);
  const portolan = await Portolan.up({ dataDir: at("of-backup-v1") });
  try {
    await checkV2(portolan);
  } finally {
    await portolan.stop();
  }
});

test("a data directory of a newer format is refused by name, with what to do", async () => {
  await fixture("v1", at("newer"));
  await writeFile(at("newer/format"), "portolan-data 99\n");
  for (const args of [
    ["up", "--port", "0", "--admin-port", "0", "--data-dir", at("newer")],
    ["trail", "lookup", "--data-dir", at("newer")],
    ["backup", "--data-dir", at("newer"), "--to", at("of-newer"), "--key", key],
  ]) {
    const { code, stderr } = await run(args);
    assert.equal(code, 1, args[0]);
    assert.match(stderr, /newer\/format: this is format version 99, and 2 is the newest.*run the Portolan that wrote it/);
  }
});
