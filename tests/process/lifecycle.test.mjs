// SPDX-License-Identifier: Apache-2.0
// Start, reload, drain and stop as an operator does it; exit codes; what `check` says of a bad configuration.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { Portolan, globalProfile, run, sleep, stopLimitMs, usProfile } from "./portolan.mjs";
import { serveBefore } from "./serving.mjs";
import { converse } from "./stream_client.mjs";

let scratch;
let portolan; // its sandbox serves the gateways of this file, its configuration is their model
before(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "portolan-lifecycle-"));
  portolan = await Portolan.up();
});
after(async () => {
  await portolan?.stop();
  await rm(scratch, { recursive: true, force: true });
});

/** `portolan serve` before the sandbox of `portolan`. */
const serve = (name, change) => serveBefore(portolan, path.join(scratch, name), change);

describe("portolan serve", () => {
  test("SIGTERM when idle ends it with 0 within 5 seconds", async () => {
    const gateway = await serve("idle");
    const { code, tookMs } = await gateway.running.terminate();
    assert.equal(code, 0, gateway.running.log);
    assert.ok(tookMs < stopLimitMs);
  });

  test("SIGTERM lets a stream under way finish, and takes no new connection", async () => {
    const gateway = await serve("drain");
    const stream = converse(gateway, { modelId: usProfile, text: "A tale. #tokens=80" });
    await sleep(600);
    const ending = gateway.running.terminate(20_000);
    await sleep(200);
    const late = await converse(gateway, { modelId: usProfile, text: "Too late." });
    assert.ok(!late.complete, "a call was taken while draining");
    const finished = await stream;
    assert.ok(finished.complete, finished.error);
    assert.equal(finished.tokens, 80);
    assert.equal((await ending).code, 0, gateway.running.log);
    // Without a gateway, the trail is read from its files.
    const records = await run(["trail", "lookup", "--data-dir", gateway.dataDir, "--json", "--call-id", finished.callId]);
    assert.equal(records.stdout.trim().split("\n").length, 1);
    assert.equal(JSON.parse(records.stdout).additionalEventData.inferenceRegion, finished.inferenceRegion);
  });

  test("SIGHUP with a bad configuration changes nothing and says why; with a good one it is in force", async (t) => {
    const gateway = await serve("reload");
    t.after(() => gateway.running.terminate());
    const second = { ...gateway, apiKey: portolan.ready.second_tenant.api_key };
    assert.equal((await converse(second, { modelId: globalProfile, text: "#tokens=1" })).status, 403);

    await writeFile(gateway.file, gateway.text.replace("source_region: us-east-1", "source_region: us-eest-1"));
    gateway.running.signal("SIGHUP");
    await gateway.running.until(() => /us-eest-1/.test(gateway.running.log), "the mistake in the log", 5_000);
    assert.match(gateway.running.log, /reload\.yaml:\d+:\d+ source_region: .*us-east-1/);
    assert.ok((await converse(gateway, { modelId: usProfile, text: "#tokens=1" })).complete);
    assert.equal((await converse(second, { modelId: globalProfile, text: "#tokens=1" })).status, 403);

    await writeFile(gateway.file, gateway.text.replace('profiles: ["us.*"]', 'profiles: ["us.*", "global.*"]'));
    gateway.running.signal("SIGHUP");
    await gateway.running.until(() => /in force/.test(gateway.running.log), "the reload in the log", 5_000);
    assert.ok((await converse(second, { modelId: globalProfile, text: "#tokens=1" })).complete);
  });

  test("a second gateway over the same data directory is refused", async (t) => {
    const gateway = await serve("twice");
    t.after(() => gateway.running.terminate());
    const again = path.join(scratch, "again.yaml");
    await writeFile(again, gateway.text.replace(/port: \d+/g, "port: 0"));
    const { code, stderr } = await run(["serve", "-c", again], { limitMs: 10_000 });
    assert.notEqual(code, 0);
    assert.match(stderr, /twice/);
  });
});

describe("the admin port", () => {
  const get = (target, headers = {}) => fetch(`${portolan.admin}${target}`, { headers });

  test("health is open, everything else needs the key, which only the owner can read", async () => {
    assert.equal((await get("/healthz")).status, 200);
    assert.equal((await get("/readyz")).status, 200);
    assert.equal((await get("/metrics")).status, 401);
    assert.equal((await get("/metrics", { authorization: "Bearer wrong" })).status, 401);
    const key = (await readFile(path.join(portolan.dataDir, "admin.key"), "utf8")).trim();
    assert.equal(key, portolan.ready.admin_key);
    assert.equal((await stat(path.join(portolan.dataDir, "admin.key"))).mode & 0o777, 0o600);
    const metrics = await get("/metrics", { authorization: `Bearer ${key}` });
    assert.equal(metrics.status, 200);
    assert.match(await metrics.text(), /^# TYPE portolan_\w+ /m);
  });

  test("another site's page is refused, even with the key", async () => {
    const headers = { authorization: `Bearer ${portolan.ready.admin_key}`, origin: "https://example.org" };
    assert.equal((await get("/metrics", headers)).status, 403);
  });
});

describe("portolan check", () => {
  test("names every mistake in one pass, with file, line, column and the nearest name", async () => {
    const file = path.join(scratch, "mistakes.yaml");
    await writeFile(
      file,
      [
        "version: 1",
        "source_region: us-eest-1",
        "listen: {adress: 127.0.0.1, port: 99999}",
        "deadlines: {first_byte: soon}",
        'account: {name: a, account_id: "12", access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: in-the-open}',
        "regions: {}",
        "tenants: []",
        "",
      ].join("\n"),
    );
    const { code, stdout } = await run(["check", "-c", file]);
    assert.equal(code, 2);
    for (const expected of [
      /mistakes\.yaml:2:16 source_region: .*us-east-1/,
      /mistakes\.yaml:3:10 listen: unknown key "adress"; did you mean address\?/,
      /mistakes\.yaml:3:\d+ listen\.port: .*65535/,
      /mistakes\.yaml:4:\d+ deadlines\.first_byte: /,
      /mistakes\.yaml:5:\d+ account\.account_id: .*12 digits/,
      /mistakes\.yaml:5:\d+ account\.secret_access_key: .*env:/,
      /mistakes\.yaml:6:\d+ regions: /,
      /mistakes\.yaml:7:\d+ tenants: /,
    ])
      assert.match(stdout, expected);
    assert.ok(!stdout.includes("in-the-open"), "a secret is in the output");

    const asJson = await run(["check", "-c", file, "--json"]);
    assert.equal(asJson.code, 2);
    assert.equal(asJson.stdout.trim().split("\n").length, stdout.trim().split("\n").length);
    for (const line of asJson.stdout.trim().split("\n")) assert.ok(JSON.parse(line).line > 0);
  });

  test("passes the demonstration's configuration", async () => {
    const { code, stdout } = await run(["check", "-c", path.join(portolan.dataDir, "portolan.yaml")]);
    assert.equal(code, 0, stdout);
  });
});

describe("exit codes", () => {
  const explain = (principal, profile) => portolan.cli(["explain", "--principal", principal, "--profile", profile]);

  test("0: allowed", async () => assert.equal((await explain(portolan.credentials.accessKeyId, globalProfile)).code, 0));
  test("1: denied", async () => assert.equal((await explain(portolan.ready.second_tenant.access_key_id, globalProfile)).code, 1));
  test("2: usage, with the word that was wrong", async () => {
    for (const args of [["sail"], ["explain", "--nonsense"], ["sandbox", "fault", portolan.sourceRegion, "explode"], ["check", "-c", "/nonexistent.yaml"]]) {
      const { code, stderr } = await portolan.cli(args);
      assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
      assert.ok(stderr.includes(args.at(-1)), stderr);
    }
  });
  test("3: no gateway there", async () => {
    const { code, stderr } = await run(["trail", "lookup", "--admin", "http://127.0.0.1:1", "--admin-key", "x"]);
    assert.equal(code, 3, stderr);
  });
});

test("a call that is served while the log is read leaves no secret and no prompt in it", async () => {
  const client = portolan.runtime();
  const text = "a prompt that nobody may read #tokens=2";
  await client.send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text }] }] }));
  for (const secret of [text, portolan.credentials.secretAccessKey, portolan.apiKey, portolan.ready.admin_key])
    assert.ok(!portolan.log.includes(secret));
});
