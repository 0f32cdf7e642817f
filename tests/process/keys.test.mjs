// SPDX-License-Identifier: Apache-2.0
// Keys that the gateway issues: made, used by stock SDKs, rotated and revoked under load, kept over a restart, sealed.
import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { ListInferenceProfilesCommand } from "@aws-sdk/client-bedrock";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, Running, globalProfile, lines, run, sleep, usProfile } from "./portolan.mjs";
import { serveBefore } from "./serving.mjs";

const question = (modelId = usProfile) =>
  new ConverseCommand({ modelId, messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] });
const credentialsOf = (key) => ({ accessKeyId: key.access_key_id, secretAccessKey: key.secret_access_key });

describe("against the demonstration", () => {
  let portolan;
  before(async () => (portolan = await Portolan.up({ timeScale: 20 })));
  after(() => portolan?.stop());

  const issue = async (kind, ...rest) =>
    (await portolan.json(["key", "create", "--json", "--kind", kind, "--tenant", "demo", "--name", "carol", ...rest]))[0];
  const bearerCall = (apiKey) => fetch(`${portolan.gateway}/v1/models`, { headers: { authorization: `Bearer ${apiKey}` } });
  const listed = async (id) => (await portolan.json(["key", "list", "--json"])).find((key) => key.id === id);

  test("an access key works with the stock SDK, and the record names it", async () => {
    const key = await issue("access-key");
    const { $metadata } = await portolan.runtime({ credentials: credentialsOf(key) }).send(question());
    const record = await portolan.record($metadata.portolan.callId);
    assert.equal(record.userIdentity.accessKeyId, key.access_key_id);
    assert.equal(record.userIdentity.userName, "carol");
    const { state, last_used: lastUsed } = await listed(key.id);
    assert.equal(state, "active");
    assert.ok(Math.abs(Date.now() - Date.parse(lastUsed)) < 60_000, lastUsed);
  });

  test("an API key works with the stock SDK of OpenAI", async () => {
    const key = await issue("api-key");
    const reply = await portolan
      .openai({ apiKey: key.api_key })
      .chat.completions.create({ model: usProfile, messages: [{ role: "user", content: "#tokens=1" }] });
    assert.equal(reply.choices.length, 1);
    assert.ok((await portolan.trail("--principal", key.id)).length >= 1);
  });

  test("a secret is shown when the key is made and never again", async () => {
    const key = await issue("access-key");
    const bearer = await issue("api-key");
    for (const command of [["list"], ["list", "--json"], ["history"], ["history", "--json"]]) {
      const { code, stdout } = await portolan.cli(["key", ...command]);
      assert.equal(code, 0);
      assert.ok(stdout.includes(key.id) && stdout.includes(bearer.id), command.join(" "));
      assert.ok(!stdout.includes(key.secret_access_key) && !stdout.includes(bearer.api_key), command.join(" "));
    }
    assert.match(portolan.log, new RegExp(`key create: ${key.id} for user carol of tenant demo, never expires`));
  });

  test("a key may be limited to profiles", async () => {
    const key = await issue("access-key", "--profiles", "us.*");
    const runtime = portolan.runtime({ credentials: credentialsOf(key) });
    await runtime.send(question());
    await assert.rejects(runtime.send(question(globalProfile)), (error) => {
      assert.equal(error.name, "AccessDeniedException");
      assert.match(error.message, new RegExp(`key ${key.id} allows only the profiles us\\.\\*`));
      return true;
    });
    const control = portolan.control({ credentials: credentialsOf(key) });
    const { inferenceProfileSummaries: profiles } = await control.send(new ListInferenceProfilesCommand({ maxResults: 1000 }));
    assert.ok(profiles.length > 0);
    assert.ok(profiles.every((profile) => profile.inferenceProfileId.startsWith("us.")));
    assert.equal((await portolan.explain("--principal", key.id, "--profile", globalProfile)).allowed, false);
    assert.equal((await portolan.explain("--principal", key.id, "--profile", usProfile)).allowed, true);
  });

  test("a key is refused from the moment it expires", async () => {
    const key = await issue("access-key", "--expires", "2s");
    const runtime = portolan.runtime({ credentials: credentialsOf(key), maxAttempts: 1 });
    await runtime.send(question());
    await sleep(Date.parse(key.expires) + 1_050 - Date.now()); // the answer shows whole seconds
    await assert.rejects(runtime.send(question()), { name: "ExpiredTokenException" });
    assert.equal((await listed(key.id)).state, "expired");
    assert.equal((await portolan.explain("--principal", key.id, "--profile", usProfile)).error_code, "expired_key");
  });

  test("rotation under load refuses no call", async (t) => {
    let key = await issue("api-key");
    const counts = { before: 0, after: 0 };
    let running = true;
    let current = { key: key.api_key, phase: "before" };
    const first = current;
    const caller = async (old) => {
      while (running) {
        const used = old ? first : current; // some callers learn of the new key, some go on with the old one
        const reply = await bearerCall(used.key);
        await reply.arrayBuffer();
        assert.equal(reply.status, 200, `a call with the ${used.phase} key was refused`);
        counts[used.phase] += 1;
      }
    };
    const callers = [0, 1, 2, 3].map((i) => caller(i % 2 === 0));
    const steady = run(["load", "--json", "--quiet", "--url", portolan.gateway, "--model", usProfile, "--api-key", key.api_key, "--rate", "100", "--for", "2s", "--output-tokens", "1"]);
    for (let i = 0; i < 5; i += 1) {
      await sleep(200);
      [key] = await portolan.json(["key", "rotate", key.id, "--overlap", "1h", "--json"]);
      current = { key: key.api_key, phase: "after" };
    }
    const { code, stdout } = await steady;
    running = false;
    await Promise.all(callers);
    assert.equal(code, 0, stdout);
    assert.ok(counts.before > 20 && counts.after > 20, JSON.stringify(counts));
    t.diagnostic(`5 rotations, ${counts.before} calls with the first key, ${counts.after} with its successors`);
  });

  test("the old key of a rotation is refused when the overlap is over", async () => {
    const old = await issue("access-key");
    const [next] = await portolan.json(["key", "rotate", old.id, "--overlap", "2s", "--json"]);
    const runtime = portolan.runtime({ credentials: credentialsOf(old), maxAttempts: 1 });
    await runtime.send(question());
    assert.equal((await listed(old.id)).state, "retiring");
    assert.equal((await listed(old.id)).replaced_by, next.id);
    await sleep(2_100);
    await assert.rejects(runtime.send(question()), { name: "ExpiredTokenException" });
    await portolan.runtime({ credentials: credentialsOf(next) }).send(question());
  });

  test("a revoked key is refused within a second under load", async (t) => {
    const key = await issue("api-key");
    const steady = run(["load", "--json", "--quiet", "--url", portolan.gateway, "--model", usProfile, "--api-key", portolan.apiKey, "--rate", "200", "--for", "3s", "--output-tokens", "1"]);
    await sleep(500);
    const calls = []; // [when it was sent, its status]
    let running = true;
    const caller = async () => {
      while (running) {
        const sent = performance.now();
        const reply = await bearerCall(key.api_key);
        await reply.arrayBuffer();
        calls.push([sent, reply.status]);
      }
    };
    const callers = Array.from({ length: 8 }, caller);
    await sleep(300);
    const asked = performance.now();
    await portolan.json(["key", "revoke", key.id, "--json"]);
    const told = performance.now();
    await sleep(700);
    running = false;
    await Promise.all(callers);
    assert.ok(calls.some(([sent, status]) => sent < asked && status === 200), "it worked before");
    const late = calls.filter(([sent, status]) => sent > told && status === 200);
    assert.deepEqual(late, [], "calls sent after the revocation was told were accepted");
    assert.ok(calls.some(([sent, status]) => sent > told && status === 401));
    const lastAccepted = Math.max(...calls.filter(([, status]) => status === 200).map(([sent]) => sent));
    assert.ok(lastAccepted - asked < 1_000);
    assert.equal((await steady).code, 0, "the calls of other keys went on");
    t.diagnostic(`told after ${Math.round(told - asked)} ms; last accepted call was sent ${Math.round(lastAccepted - asked)} ms after it was asked for`);
  });

  test("what is asked wrongly is told, with exit code 2", async () => {
    const refused = async (...args) => {
      const { code, stderr } = await portolan.cli(["key", ...args]);
      assert.equal(code, 2, stderr);
      return stderr;
    };
    const create = ["create", "--kind", "api-key", "--name", "x", "--tenant"];
    assert.match(await refused(...create, "demos"), /tenant: it must be one of the configuration: demo, research/);
    assert.match(await refused(...create, "demo", "--expires", "tomorrow"), /expires: 90d, 2027-01-31/);
    assert.match(await refused(...create, "demo", "--profiles", "us.antropic.claude-sonnet-4-5-20250929-v1:0"), /did you mean us\.anthropic/);
    assert.match(await refused("create", "--kind", "password", "--tenant", "demo", "--name", "x"), /password/);
    assert.match(await refused("revoke", "PTLNNOBODY"), /there is no key PTLNNOBODY/);
    assert.match(await refused("init", path.join(portolan.dataDir, "master.key")), /never replaced/);
    const wrongKey = await portolan.cli(["key", "list"], { env: { PORTOLAN_ADMIN_KEY: "0".repeat(64) } });
    assert.equal(wrongKey.code, 2);
    assert.match(wrongKey.stderr, /admin key is missing or wrong/);
  });
});

describe("over restarts", () => {
  let sandbox;
  let scratch;
  let serving;
  before(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), "portolan-keys-"));
    sandbox = await Portolan.up({ timeScale: 20 });
    for (const name of ["old", "new"]) {
      const { code, stdout } = await run(["key", "init", path.join(scratch, `${name}.key`)]);
      assert.equal(code, 0);
      assert.match(stdout, /holds master key mk-[0-9a-f]{12}/);
    }
    serving = await serveBefore(sandbox, path.join(scratch, "data"), withKeys(`{master_key: "file:${scratch}/old.key"}`));
  });
  after(async () => {
    await serving?.running.terminate();
    await sandbox?.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  const withKeys = (keys) => (text) => text.replace(/^keys: .*\n/m, keys ? `keys: ${keys}\n` : "");
  const configure = async (keys) => writeFile(serving.file, withKeys(keys)(await readFile(serving.file, "utf8")));
  const key = async (...args) => {
    const { code, stdout, stderr } = await run(["key", ...args, "--json"], { env: { PORTOLAN_DATA_DIR: serving.dataDir } });
    assert.equal(code, 0, stderr);
    return lines(stdout);
  };
  const start = async () => {
    serving.running = new Running(["serve", "-c", serving.file]);
    await serving.running.until(() => /serving on/.test(serving.running.log), "serving");
  };
  const refusedToStart = async () => {
    const { code, stderr } = await run(["serve", "-c", serving.file]);
    assert.equal(code, 2, stderr);
    return stderr;
  };
  const call = (issued) => sandbox.runtime({ endpoint: serving.gateway, credentials: credentialsOf(issued), maxAttempts: 1 }).send(question());

  test("a restart keeps keys and their last use, and the store holds no secret in the clear", async () => {
    const [alice] = await key("create", "--kind", "access-key", "--tenant", "demo", "--name", "alice");
    const [bot] = await key("create", "--kind", "api-key", "--tenant", "demo", "--name", "bot");
    await call(alice);
    await serving.running.terminate();
    for (const name of await readdir(serving.dataDir)) {
      const file = path.join(serving.dataDir, name);
      if (!(await stat(file)).isFile()) continue;
      const bytes = await readFile(file);
      assert.ok(!bytes.includes(alice.secret_access_key) && !bytes.includes(bot.api_key), `${name} holds a secret`);
    }
    const store = path.join(serving.dataDir, "keys.db");
    assert.ok((await readFile(store)).includes(alice.id));
    assert.equal((await stat(store)).mode & 0o777, 0o600);
    await start();
    const listed = (await key("list")).find(({ id }) => id === alice.id);
    assert.ok(listed.last_used);
    await call(alice);
    const reply = await fetch(`${serving.gateway}/v1/models`, { headers: { authorization: `Bearer ${bot.api_key}` } });
    assert.equal(reply.status, 200);
  });

  test("a second process on the directory, with other master keys, changes nothing", async () => {
    const file = `${serving.file}.second.yaml`;
    const text = (await readFile(serving.file, "utf8")).replace(/^(listen|admin): .*$/gm, "$1: {port: 0}");
    await writeFile(file, withKeys(`{master_key: "file:${scratch}/new.key", previous_master_key: "file:${scratch}/old.key"}`)(text));
    const { code, stderr } = await run(["serve", "-c", file]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /another process has this directory open/);
    const [dave] = await key("create", "--kind", "access-key", "--tenant", "demo", "--name", "dave");
    await call(dave);
  });

  test("a wrong master key, or none, refuses to start and says which one is needed", async () => {
    await serving.running.terminate();
    await configure(`{master_key: "file:${scratch}/new.key"}`);
    assert.match(await refusedToStart(), /keys\.db was sealed under master key mk-[0-9a-f]{12}, and keys\.master_key is mk-/);
    await configure("");
    assert.match(await refusedToStart(), /keys\.db holds issued keys, and the configuration has no keys\.master_key/);
    await writeFile(serving.file, `keys: {master_key: "file:${scratch}/old.key"}\n${await readFile(serving.file, "utf8")}`);
    await chmod(path.join(scratch, "old.key"), 0o644);
    assert.match(await refusedToStart(), /others than its owner may use it \(mode 0644\); chmod 600 it/);
    await chmod(path.join(scratch, "old.key"), 0o600);
    await start();
  });

  test("the master key is changed by a reload, and the old one is not needed afterwards", async () => {
    const [alice] = await key("create", "--kind", "access-key", "--tenant", "demo", "--name", "alice");
    await configure(`{master_key: "file:${scratch}/new.key"}`);
    serving.running.signal("SIGHUP");
    await serving.running.until(() => /stays as it was\. the key store is sealed under/.test(serving.running.log), "refused", 5_000);
    await configure(`{master_key: "file:${scratch}/new.key", previous_master_key: "cmd:/bin/cat ${scratch}/old.key"}`);
    serving.running.signal("SIGHUP");
    await serving.running.until(() => /key rotate-master: \d+ secrets are sealed under mk-/.test(serving.running.log), "sealed anew", 5_000);
    await call(alice);
    await serving.running.terminate();
    await configure(`{master_key: "file:${scratch}/new.key"}`);
    await rm(path.join(scratch, "old.key"));
    await start();
    await call(alice);
    assert.equal((await key("history"))[0].action, "rotate-master");
  });

  test("a store of a newer format is refused", async () => {
    await serving.running.terminate();
    const store = path.join(serving.dataDir, "keys.db");
    const bytes = await readFile(store);
    const newer = Buffer.from(bytes);
    newer.writeUInt32BE(99, 60); // user_version: SQLite's file format, section 1.3
    await writeFile(store, newer);
    assert.match(await refusedToStart(), /is a key store of format 99, and this version knows formats up to 1/);
    await writeFile(store, bytes);
    await start();
  });

  test("a backup of the running gateway holds the keys, and a gateway on the restored directory knows them", async () => {
    const [carol] = await key("create", "--kind", "access-key", "--tenant", "demo", "--name", "carol");
    const passphrase = path.join(scratch, "passphrase");
    await writeFile(passphrase, "correct horse battery staple\n", { mode: 0o600 });
    const sealed = path.join(scratch, "backup");
    const made = await run(["backup", "--data-dir", serving.dataDir, "--to", sealed, "--key", `file:${passphrase}`]);
    assert.equal(made.code, 0, made.stderr);
    assert.ok(!(await readFile(sealed)).includes(carol.id), "the backup is in the clear");
    await serving.running.terminate();
    const lost = `${serving.dataDir}.lost`;
    await rename(serving.dataDir, lost);
    const restored = await run(["restore", "--data-dir", serving.dataDir, "--from", sealed, "--key", `file:${passphrase}`]);
    assert.equal(restored.code, 0, restored.stderr);
    assert.equal((await stat(path.join(serving.dataDir, "keys.db"))).mode & 0o777, 0o600);
    await start();
    await call(carol);
    await rm(lost, { recursive: true });
  });
});
