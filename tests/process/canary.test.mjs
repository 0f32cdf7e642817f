// SPDX-License-Identifier: Apache-2.0
// Canaries: secrets and prompts that exist nowhere else are put into every place that may hold one, well-formed and not;
// afterwards they are searched for in all that the gateway writes, answers, and leaves behind.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes, createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, InvokeModelCommand, InvokeModelWithResponseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { Running, lines, run, sleep, usProfile } from "./portolan.mjs";
import { freePort } from "./serving.mjs";

/** Name → text. Letters and digits only, so that no escaping hides one. */
const canaries = new Map();
function canary(name) {
  const text = `Canary${name.replaceAll(/\W/g, "")}${randomBytes(12).toString("hex")}`;
  canaries.set(name, text);
  return text;
}

/** Names of the canaries in `bytes`: as they are, and as base64 or hexadecimal of the whole. */
function found(bytes) {
  const haystack = Buffer.from(bytes);
  const forms = (text) => [text, Buffer.from(text).toString("base64").replace(/=+$/, ""), Buffer.from(text).toString("hex")];
  return [...canaries].filter(([, text]) => forms(text).some((form) => haystack.includes(form))).map(([name]) => name);
}

/** A Region that answers as it is told, in place of a real one. */
class Parrot {
  async listen() {
    this.answer = () => [500, {}, ""];
    this.server = http.createServer((request, response) => {
      request.resume().on("end", () => {
        const [status, headers, body] = this.answer();
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
      });
    });
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return this.server.address().port;
  }
  close() {
    this.server?.closeAllConnections();
    this.server?.close();
  }
}

describe("no canary leaves its cage", () => {
  const parrot = new Parrot();
  const adminAnswers = [];
  const refusals = []; // error answers: [what was asked, text]
  let sandbox, scratch, running, gateway, admin, adminKey, dataDir, keys;

  before(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), "portolan-canary-"));
    dataDir = path.join(scratch, "data");
    await mkdir(path.join(scratch, "cwd"));
    const provider = ["--access-key-id", "AKIAPORTOLANSANDBOX1", "--secret-access-key", canary("provider secret")];
    sandbox = new Running(["sandbox", "--json", "--no-latency", "--data-dir", path.join(scratch, "sandbox"), ...provider]);
    await sandbox.until(() => sandbox.stdout.includes("\n"), "ready");
    const { regions } = JSON.parse(sandbox.stdout);
    const parrotPort = await parrot.listen();
    const region = (name) => `  ${name}: {endpoint: "${regions[name]}"}`;
    keys = { alice: canary("caller secret"), bot: canary("API key"), echo: canary("API key of the other tenant") };
    await writeFile(path.join(scratch, "alice.secret"), `${keys.alice}\n`, { mode: 0o600 });
    const { code } = await run(["key", "init", path.join(scratch, "master.key")]);
    assert.equal(code, 0);
    canaries.set("master key", (await readFile(path.join(scratch, "master.key"), "utf8")).trim());
    const ports = [await freePort(), await freePort()];
    const sha256 = (text) => createHash("sha256").update(text).digest("hex");
    await writeFile(
      path.join(scratch, "portolan.yaml"),
      `data_dir: ${dataDir}
source_region: us-east-1
listen: {port: ${ports[0]}}
admin: {port: ${ports[1]}}
deadlines: {first_byte: 2s, head: 2s}
keys: {master_key: "cmd:/bin/cat ${scratch}/master.key"}
account: {name: main, account_id: "999900001111", access_key_id: AKIAPORTOLANSANDBOX1, secret_access_key: env:PORTOLAN_PROVIDER_SECRET}
tenants:
  - name: search
    account_id: "111122223333"
    regions: [us-east-1, us-west-2]
    keys:
      - {name: alice, access_key_id: AKIAPORTOLANCANARY01, secret_access_key: "file:${scratch}/alice.secret"}
      - {name: bot, api_key_sha256: ${sha256(keys.bot)}}
  - name: echo
    account_id: "444455556666"
    regions: [us-east-2]
    keys:
      - {name: echo, api_key_sha256: ${sha256(keys.echo)}}
regions:
${region("us-east-1")}
${region("us-west-2")}
  us-east-2: {endpoint: "http://127.0.0.1:${parrotPort}"}
`,
    );
    running = new Running(["serve", "-c", path.join(scratch, "portolan.yaml")], {
      env: { PORTOLAN_PROVIDER_SECRET: canaries.get("provider secret") },
      cwd: path.join(scratch, "cwd"),
    });
    await running.until(() => /serving on/.test(running.log), "serving");
    gateway = `http://127.0.0.1:${ports[0]}`;
    admin = `http://127.0.0.1:${ports[1]}`;
    adminKey = (await readFile(path.join(dataDir, "admin.key"), "utf8")).trim();
    canaries.set("admin key", adminKey);
  });
  after(async () => {
    await running?.kill();
    await sandbox?.terminate();
    parrot.close();
    await rm(scratch, { recursive: true, force: true });
  });

  const client = (options) => new BedrockRuntimeClient({ region: "us-east-1", maxAttempts: 1, ...options });
  const cli = (...args) => run(args, { env: { PORTOLAN_ADMIN: admin, PORTOLAN_ADMIN_KEY: adminKey } });
  const send = async (target, { method = "POST", headers = {}, body, as = keys.bot } = {}) => {
    const reply = await fetch(`${gateway}${target}`, {
      method,
      headers: { "content-type": "application/json", ...(as ? { authorization: `Bearer ${as}` } : {}), ...headers },
      body,
    });
    const text = `${JSON.stringify([...reply.headers])}${await reply.text()}`;
    if (reply.status >= 400) refusals.push([`${method} ${target.slice(0, 60)} → ${reply.status}`, text]);
    return { status: reply.status, text };
  };
  const raw = (bytes) =>
    new Promise((resolve) => {
      const socket = net.connect(Number(new URL(gateway).port), "127.0.0.1", () => socket.end(bytes));
      let text = "";
      socket.setTimeout(4_000, () => socket.destroy());
      socket.on("data", (piece) => (text += piece)).on("error", () => {}).on("close", () => resolve(text));
    });
  const clean = (what, bytes) => assert.deepEqual(found(bytes), [], `found in ${what}`);
  const prompts = {};
  const say = (name) => (prompts[name] ??= canary(`prompt ${name}`));

  test("the search finds what is there", async () => {
    assert.deepEqual(found(`x${keys.bot}y`), ["API key"]);
    assert.deepEqual(found(Buffer.from(keys.bot).toString("base64")), ["API key"]);
    assert.deepEqual(found(await readFile(path.join(scratch, "alice.secret"))), ["caller secret"]);
  });

  test("prompts in every dialect, whole and streamed, signed and with a bearer key", async () => {
    const credentials = { accessKeyId: "AKIAPORTOLANCANARY01", secretAccessKey: keys.alice };
    const runtime = client({ endpoint: gateway, credentials });
    const drain = async (stream) => {
      for await (const event of stream) assert.ok(event);
    };
    const ask = (name) => ({
      modelId: usProfile,
      system: [{ text: say(`${name} system`) }],
      messages: [{ role: "user", content: [{ text: `#tokens=3 ${say(name)}` }] }],
      requestMetadata: { note: say(`${name} metadata`) },
    });
    await runtime.send(new ConverseCommand(ask("Converse")));
    await drain((await runtime.send(new ConverseStreamCommand(ask("ConverseStream")))).stream);
    const anthropic = (name) =>
      JSON.stringify({ anthropic_version: "bedrock-2023-05-31", max_tokens: 5, system: say(`${name} system`), messages: [{ role: "user", content: say(name) }] });
    await runtime.send(new InvokeModelCommand({ modelId: usProfile, body: anthropic("InvokeModel") }));
    await drain((await runtime.send(new InvokeModelWithResponseStreamCommand({ modelId: usProfile, body: anthropic("InvokeModelStream") }))).body);
    for (const stream of [false, true]) {
      const messages = [{ role: "system", content: say("chat system") }, { role: "user", content: say(`chat ${stream}`) }];
      const { status } = await send("/v1/chat/completions", { body: JSON.stringify({ model: usProfile, stream, user: say("chat user"), max_tokens: 5, messages }) });
      assert.equal(status, 200);
    }
  });

  test("issued keys, made, rotated and revoked", async () => {
    const made = async (...args) => {
      const { code, stdout, stderr } = await cli("key", ...args, "--json");
      assert.equal(code, 0, stderr);
      return lines(stdout)[0];
    };
    const access = await made("create", "--kind", "access-key", "--tenant", "search", "--name", "carol");
    const bearer = await made("create", "--kind", "api-key", "--tenant", "search", "--name", "carol");
    canaries.set("issued secret", access.secret_access_key).set("issued API key", bearer.api_key);
    canaries.set("rotated secret", (await made("rotate", access.id)).secret_access_key);
    const runtime = client({ endpoint: gateway, credentials: { accessKeyId: access.id, secretAccessKey: access.secret_access_key } });
    await runtime.send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: say("issued") }] }] }));
    await send("/v1/models", { method: "GET", as: bearer.api_key });
    await made("revoke", bearer.id);
    assert.equal((await send("/v1/models", { method: "GET", as: bearer.api_key })).status, 401);
  });

  test("requests that are wrong in every way", async () => {
    const converse = `/model/${encodeURIComponent(usProfile)}/converse`;
    const p = () => say("wrong body");
    const bodies = [
      p(), `{"messages":"${p()}"}`, `{"messages":[{"role":"${p()}","content":[{"text":"x"}]}]}`, `["${p()}"]`,
      `{"messages":[{"role":"user","content":[{"text":"${p()}`, `{"messages":[{"role":"user","content":[{"text":"${p()}"}]}],"inferenceConfig":{"maxTokens":"${p()}"}}`,
      `{"messages":[{"role":"user","content":[{"text":"${p()}"}]}],"inferenceConfig":{"maxTokens":99999999}}`,
      `{"messages":[{"role":"user","content":[{"text":"${p()}\xff"}]}]}`, `{"a":1,"a":"${p()}"}`,
    ];
    // The name of a member is no canary with OpenAI's dialect: its 400 names the member that is not supported.
    for (const body of [...bodies, `{"${p()}":1}`]) await send(converse, { body });
    for (const body of [...bodies, `{"model":"${usProfile}","messages":[{"role":"user","content":"${p()}","tool_calls":"${p()}"}]}`,
      `{"model":"${usProfile}","messages":[],"stop":["${p()}"]}`, `{"model":"${usProfile}","response_format":{"type":"${p()}"},"messages":[{"role":"user","content":"${p()}"}]}`,
      `{"model":"${usProfile}","tools":[{"type":"${p()}"}],"messages":[{"role":"${p()}","content":[{"type":"${p()}"}]}]}`])
      await send("/v1/chat/completions", { body });
    for (const body of bodies) await send(`/model/${encodeURIComponent(usProfile)}/invoke`, { body });

    const stray = canary("wrong credential");
    await send(converse, { as: stray, body: "{}" });
    await send(converse, { as: null, headers: { "x-api-key": stray }, body: "{}" });
    await send(converse, { as: null, headers: { authorization: `Basic ${stray}` }, body: "{}" });
    await send(converse, { as: null, headers: { authorization: stray }, body: "{}" });
    await send(converse, { headers: { cookie: stray, "x-secret": stray, "x-amz-security-token": stray }, body: `{"messages":[]}` });
    await send(`${converse}?X-Amz-Signature=${stray}&api_key=${stray}&X-Amz-Credential=${stray}`, { body: "{}" });
    await send(`/v1/models?key=${stray}`, { method: "GET", as: null });
    await send(`/inference-profiles?nextToken=${stray}&type=${stray}`, { method: "GET" });
    const signed = (id, signature) => `AWS4-HMAC-SHA256 Credential=${id}/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`;
    // Id and secret mixed up: the classic mistake.
    for (const authorization of [signed(stray, "0".repeat(64)), signed("AKIAPORTOLANCANARY01", stray), `${signed("AKIAPORTOLANCANARY01", "0".repeat(64))} ${stray}`, `AWS4-HMAC-SHA256 ${stray}`])
      await send(converse, { as: null, headers: { authorization, "x-amz-date": "20261122T000000Z" }, body: `{"messages":"${p()}"}` });
    const runtime = client({ endpoint: gateway, credentials: { accessKeyId: "AKIAPORTOLANCANARY01", secretAccessKey: canary("wrong secret") } });
    await assert.rejects(runtime.send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: p() }] }] })));

    for (const bytes of [
      `POST ${converse} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${stray}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n${p()}`,
      `POST ${converse} HTTP/1.1\r\nHost: x\r\nX-Secret : ${stray}\r\n\r\n`, `${stray} / HTTP/1.1\r\n\r\n`, `GET /${"a".repeat(40_000)}${stray} HTTP/1.1\r\n\r\n`,
      `POST ${converse} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n${p()}`, `${p()}\r\n\r\n`,
      `POST ${converse} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${p()}\r\n`,
    ])
      refusals.push([bytes.slice(0, 40), await raw(bytes)]);
    assert.ok(refusals.length > 40, `${refusals.length} refusals`);
  });

  test("a Region that repeats the prompt, and its own secrets, in its errors", async () => {
    const echoed = say("echoed by a Region");
    const body = JSON.stringify({ messages: [{ role: "user", content: [{ text: echoed }] }] });
    const answers = [400, 403, 404, 408, 424, 429, 500, 503].map((status) => [status, {}, JSON.stringify({ message: `cannot serve ${echoed}`, __type: echoed })]);
    answers.push([400, { "x-amzn-errortype": "ValidationException", "retry-after": echoed }, `{"message":"${echoed}"}`], [500, { "x-amzn-errortype": echoed }, echoed]);
    answers.push([200, {}, echoed], [200, {}, `{"output":"${echoed}`], [200, { "content-type": "application/vnd.amazon.eventstream" }, echoed], [302, { location: `http://127.0.0.1/${echoed}` }, ""]);
    for (const answer of answers) {
      parrot.answer = () => answer;
      for (const operation of ["converse", "converse-stream"]) {
        const reply = await fetch(`${gateway}/model/${encodeURIComponent(usProfile)}/${operation}`, { method: "POST", headers: { authorization: `Bearer ${keys.echo}` }, body });
        await reply.text(); // the caller may read what its own prompt caused
      }
    }
  });

  test("the admin port, asked well and badly", async () => {
    const stray = canary("wrong admin key");
    const ask = async (method, target, { key = adminKey, body } = {}) => {
      const reply = await fetch(`${admin}${target}`, { method, headers: { authorization: `Bearer ${key}` }, body });
      adminAnswers.push([`${method} ${target}`, await reply.text()]);
    };
    for (const target of ["/healthz", "/readyz", "/metrics", "/api/regions", "/api/trail?limit=0", "/api/keys", "/api/keys/history", "/api/nothing"]) await ask("GET", target);
    for (const target of ["/metrics", "/api/keys", "/nothing"]) await ask("GET", target, { key: stray });
    await ask("POST", "/api/explain", { body: JSON.stringify({ principal: "alice", model: usProfile }) });
    await ask("POST", "/api/keys", { body: `{"kind":"${say("admin body")}"}` });
    await ask("POST", "/api/keys", { body: `{"kind":"api-key","tenant":"search","name":"x","${say("admin body")}":1}` });
    await ask("POST", "/api/keys", { body: say("admin body") });
    await ask("POST", "/api/explain", { body: `{"principal":{"${say("admin body")}":1},"model":"x"}` });
    await ask("POST", "/api/explain", { body: say("admin body") });
    running.signal("SIGHUP");
    await running.until(() => /in force/.test(running.log), "reloaded", 15_000);
    for (const [what, text] of adminAnswers) clean(`admin: ${what}`, text);
  });

  test("error answers hold no canary", () => {
    for (const [what, text] of refusals) clean(`the answer to ${what}`, text);
  });

  test("commands print no canary", async () => {
    for (const args of [["trail", "lookup", "--limit", "0"], ["trail", "lookup", "--limit", "0", "--json"], ["explain", "--principal", "alice", "--profile", usProfile], ["explain", "--principal", "bot", "--profile", usProfile, "--json"], ["key", "list"], ["key", "list", "--json"], ["key", "history"]]) {
      const { stdout, stderr } = await cli(...args);
      assert.ok(stdout.length > 0, stderr);
      clean(args.join(" "), stdout + stderr);
    }
    const checked = await run(["check", "-c", path.join(scratch, "portolan.yaml"), "--json"], { env: { PORTOLAN_PROVIDER_SECRET: canaries.get("provider secret") } });
    assert.equal(checked.code, 0, checked.stdout);
    clean("check", checked.stdout + checked.stderr);
    const inline = (await readFile(path.join(scratch, "portolan.yaml"), "utf8")).replace("env:PORTOLAN_PROVIDER_SECRET", canaries.get("provider secret"));
    await writeFile(path.join(scratch, "inline.yaml"), inline);
    const refused = await run(["check", "-c", path.join(scratch, "inline.yaml")]);
    assert.equal(refused.code, 2);
    clean("check of an inline secret", refused.stdout + refused.stderr);
  });

  test("the command line of the process holds no canary", async () => {
    clean("cmdline", await readFile(`/proc/${running.child.pid}/cmdline`));
  });

  test("a snapshot that gdb takes of the process holds no canary", async (t) => {
    const image = path.join(scratch, "gcore");
    const done = spawnSync("gcore", ["-o", image, `${running.child.pid}`], { encoding: "utf8", timeout: 60_000 });
    if (done.status !== 0) return t.diagnostic(`not tried: gcore ${done.error?.code ?? `ended with ${done.status}`}`);
    clean("gcore", await readFile(`${image}.${running.child.pid}`));
  });

  test("the core of a crash holds no canary", async (t) => {
    const folder = path.join(scratch, "cwd");
    const cores = async (where) => (await readdir(where)).filter((name) => name.startsWith("core"));
    // A process that does not guard itself, to see whether this machine leaves cores here and whether they tell.
    const control = path.join(scratch, "control");
    await mkdir(control);
    const unguarded = spawn("/bin/sh", ["-c", "ulimit -c unlimited; kill -ABRT $$"], { cwd: control, env: { SECRET: keys.bot }, stdio: "ignore" });
    await new Promise((resolve) => unguarded.on("close", resolve));
    const [core] = await cores(control);
    if (core === undefined) t.diagnostic("this machine leaves no core in the working directory: only the gateway's own folder was looked at");
    else assert.deepEqual(found(await readFile(path.join(control, core))), ["API key"], "the search must find what an unguarded core holds");

    try {
      execFileSync("prlimit", [`--pid=${running.child.pid}`, "--core=unlimited"]);
    } catch (error) {
      t.diagnostic(`the limit for cores could not be raised: ${error.code ?? error.status}`);
    }
    running.signal("SIGABRT");
    const { signal } = await running.ended;
    assert.equal(signal, "SIGABRT");
    await sleep(200);
    const left = await cores(folder);
    for (const name of left) clean(name, await readFile(path.join(folder, name)));
    t.diagnostic(`${left.length} cores of the gateway searched`);
  });

  test("the log holds no canary", () => {
    assert.ok(running.log.includes("key create"));
    clean("the log", running.log + running.stdout);
  });

  test("files hold no canary, but for the admin key in its own", async () => {
    const walk = async (folder) => {
      for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
        if (!entry.isFile()) continue;
        const file = path.join(entry.parentPath ?? entry.path, entry.name);
        const names = found(await readFile(file));
        assert.deepEqual(names, entry.name === "admin.key" ? ["admin key"] : [], file);
      }
    };
    assert.ok((await readdir(path.join(dataDir, "trail"))).length > 0);
    await walk(dataDir);
  });
});
