// SPDX-License-Identifier: Apache-2.0
// TLS on the real binary, both ways: stock SDKs before the gateway, sandbox Regions behind it, certificates made here.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import http2 from "node:http2";
import https from "node:https";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { BedrockRuntimeClient, ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { Certificates } from "./certificates.mjs";
import { Running, lines, model, run, sleep, usDestinations, usProfile } from "./portolan.mjs";

const credentials = { accessKeyId: "AKIAPORTOLANTLSTEST1", secretAccessKey: "secret-of-this-test" };
const region = "us-east-1";
const question = JSON.stringify({ messages: [{ role: "user", content: [{ text: "#tokens=5" }] }] });
const conversePath = `/model/${usProfile}/converse`;

let certificates; // of the gateway and its callers
let sandbox; // Regions with an authority of their own
let regions;
let gateway;
let mesh, stranger; // callers' certificates

/** A configuration; `change` edits its text. */
async function configure(name, change = (text) => text) {
  const directory = certificates.file(name);
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, "portolan.yaml");
  const endpoints = usDestinations.map((at) => `  ${at}: {endpoint: "${regions.regions[at]}", ca: ${regions.ca_file}}`);
  const text = `dev: true
data_dir: ${directory}/data
source_region: ${region}
listen:
  port: 0
  tls:
    port: 0
    certificates:
      - {certificate: ${directory}/chain.pem, private_key: ${directory}/key.pem}
      - {certificate: ${certificates.file("other.pem")}, private_key: ${certificates.file("other.key")}}
    client_certificates: optional
    client_ca: ${certificates.file("ca.pem")}
admin: {port: 0}
account: {name: sandbox, account_id: "999900001111", access_key_id: ${regions.access_key_id}, secret_access_key: ${regions.secret_access_key}}
regions:
${endpoints.join("\n")}
tenants:
  - name: signers
    account_id: "111122223333"
    keys: [{name: alice, access_key_id: ${credentials.accessKeyId}, secret_access_key: ${credentials.secretAccessKey}}]
  - name: meshes
    account_id: "444455556666"
    keys: [{name: mesh, certificate: "uri:spiffe://acme/mesh"}]
`;
  await writeFile(file, change(text));
  return { file, directory };
}

async function install(directory, name, key = name) {
  await copyFile(certificates.file(`${name}.pem`), path.join(directory, "chain.pem"));
  await copyFile(certificates.file(`${key}.key`), path.join(directory, "key.pem"));
}

async function serve(name, change) {
  const { file, directory } = await configure(name, change);
  await install(directory, "first");
  const running = new Running(["serve", "-c", file]);
  const [, url, admin] = await running.until(
    () => running.log.match(/serving on http:\/\/\S+ and (https:\/\/\S+), admin on (\S+)/), "serving");
  const env = { PORTOLAN_ADMIN: admin, PORTOLAN_ADMIN_KEY: (await readFile(`${directory}/data/admin.key`, "utf8")).trim() };
  return {
    running, url, admin, directory, file, key: env.PORTOLAN_ADMIN_KEY,
    async record(callId) {
      const { stdout } = await run(["trail", "lookup", "--json", "--call-id", callId], { env });
      const [record] = lines(stdout);
      assert.ok(record, `no record of ${callId}`);
      return record;
    },
    async reload() {
      const before = running.log.length;
      running.signal("SIGHUP");
      return running.until(() => running.log.slice(before).match(/SIGHUP: .*\n/) && running.log.slice(before), "reloaded");
    },
  };
}

/** The SDK in a process of its own that trusts our authority. */
function sdk(question) {
  const script = fileURLToPath(new URL("tls_client.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify({ endpoint: gateway.url, region, credentials, modelId: usProfile, ...question })], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: certificates.file("ca.pem") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  return new Promise((resolve, reject) =>
    child.on("close", (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`tls_client ended with ${code}`)))));
}

const trust = async () => ({ ca: await readFile(certificates.file("ca.pem")) });
const present = async ({ cert, key }) => ({ ...(await trust()), cert: await readFile(cert), key: await readFile(key) });

/** One Converse over HTTP/1.1: { status, headers, body }. */
function post(url, options, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = https.request(new URL(conversePath, url),
      { method: "POST", headers: { "content-type": "application/json", ...headers }, agent: false, ...options }, (reply) => {
        let body = "";
        reply.setEncoding("utf8").on("data", (text) => (body += text));
        reply.on("end", () => resolve({ status: reply.statusCode, headers: reply.headers, body }));
      });
    request.on("error", reject);
    request.end(question);
  });
}

/** The certificate that a port shows for a name. */
function shown(url, options = {}) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: hostname, port, rejectUnauthorized: false, ...options }, () => {
      const subject = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      resolve(subject);
    });
    socket.on("error", reject);
  });
}

before(async () => {
  certificates = await Certificates.make();
  await certificates.issue("first", "DNS:localhost,IP:127.0.0.1");
  await certificates.issue("second", "DNS:localhost,IP:127.0.0.1", { days: 20 });
  await certificates.issue("other", "DNS:other.example");
  mesh = await certificates.issue("mesh", "URI:spiffe://acme/mesh");
  stranger = await certificates.issue("stranger", "DNS:stranger.example");
  sandbox = new Running(["sandbox", "--tls", "--json", "--no-latency", "--data-dir", certificates.file("sandbox")]);
  const ready = await sandbox.until(() => sandbox.stdout.includes("\n") && sandbox.stdout.split("\n", 1)[0], "ready");
  regions = JSON.parse(ready);
  gateway = await serve("gateway");
});

after(async () => {
  await gateway?.running.terminate();
  await sandbox?.terminate();
  await certificates?.remove();
});

test("the sandbox speaks https and says whom to trust", async () => {
  assert.match(regions.regions[region], /^https:\/\/127\.77\./);
  const ca = await readFile(regions.ca_file, "utf8");
  const { hostname, port } = new URL(regions.regions[region]);
  const authorized = await new Promise((resolve, reject) => {
    const socket = tls.connect({ host: hostname, port, ca, servername: "" }, () => resolve(socket.authorized) ?? socket.destroy());
    socket.on("error", reject);
  });
  assert.equal(authorized, true);
});

describe("the stock AWS SDK over https", () => {
  let replies;
  before(async () => {
    const { failures, replies: got } = await sdk({});
    assert.deepEqual(failures, []);
    replies = got;
  });

  for (const [name, httpVersion] of [["default", "2"], ["http1", "1.1"]])
    for (const kind of ["whole", "stream"])
      test(`${name} handler, ${kind}: an answer over HTTP/${httpVersion}, recorded with its TLS`, async () => {
        const { callId, text } = replies[`${name} ${kind}`];
        assert.ok(text.length > 10, text);
        const record = await gateway.record(callId);
        assert.equal(record.portolan.httpVersion, httpVersion);
        assert.equal(record.tlsDetails.tlsVersion, "TLSv1.3");
        assert.match(record.tlsDetails.cipherSuite, /^TLS_(AES|CHACHA20)/);
        assert.equal(record.tlsDetails.clientProvidedHostHeader, new URL(gateway.url).host);
        assert.equal(record.userIdentity.userName, "alice");
        assert.ok(usDestinations.includes(record.additionalEventData.inferenceRegion));
      });
});

test("a caller gets the certificate of the name that it asks for", async () => {
  assert.equal(await shown(gateway.url, { servername: "other.example" }), "other");
  assert.equal(await shown(gateway.url, { servername: "localhost" }), "first");
});

test("TLS 1.2 is spoken, TLS 1.1 is not", async () => {
  assert.equal(await shown(gateway.url, { maxVersion: "TLSv1.2" }), "first");
  await assert.rejects(shown(gateway.url, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }));
});

describe("client certificates", () => {
  test("name the principal over HTTP/1.1", async () => {
    const reply = await post(gateway.url, await present(mesh));
    assert.equal(reply.status, 200, reply.body);
    const record = await gateway.record(reply.headers["x-portolan-call-id"]);
    assert.equal(record.userIdentity.arn, "arn:aws:iam::444455556666:user/mesh");
    assert.equal(record.portolan.keyId, "uri:spiffe://acme/mesh");
    assert.equal(record.portolan.tenant, "meshes");
    assert.equal(record.awsRegion, region);
  });

  test("name the principal over HTTP/2", async () => {
    const session = http2.connect(gateway.url, await present(mesh));
    const stream = session.request({ ":method": "POST", ":path": conversePath, "content-type": "application/json" });
    stream.end(question);
    const headers = await new Promise((resolve, reject) => stream.on("response", resolve) && session.on("error", reject));
    stream.resume();
    await new Promise((resolve) => stream.on("end", resolve));
    session.close();
    assert.equal(headers[":status"], 200);
    const record = await gateway.record(headers["x-portolan-call-id"]);
    assert.equal(record.userIdentity.userName, "mesh");
    assert.equal(record.portolan.httpVersion, "2");
  });

  test("that nobody has are refused, and so is a caller with nothing", async () => {
    const unknown = await post(gateway.url, await present(stranger));
    assert.equal(unknown.status, 403);
    assert.equal(unknown.headers["x-amzn-errortype"], "UnrecognizedClientException");
    assert.match(unknown.body, /dns:stranger\.example/);
    const nothing = await post(gateway.url, await trust());
    assert.equal(nothing.headers["x-amzn-errortype"], "MissingAuthenticationTokenException");
  });

  test("of another authority end the handshake", async () => {
    const others = await Certificates.make();
    const forged = await others.issue("mesh", "URI:spiffe://acme/mesh");
    await assert.rejects(post(gateway.url, await present(forged)));
    await others.remove();
  });

  test("yield to a signature", async () => {
    const agent = new https.Agent(await present(mesh));
    const client = new BedrockRuntimeClient({ endpoint: gateway.url, region, credentials, requestHandler: new NodeHttpHandler({ httpsAgent: agent }) });
    const reply = await client.send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: "#tokens=3" }] }] }));
    client.destroy();
    assert.equal((await gateway.record(reply.$metadata.requestId)).userIdentity.userName, "alice");
  });

  test("that are required keep everybody else out", async () => {
    const strict = await serve("strict", (text) => text.replace("client_certificates: optional", "client_certificates: required"));
    try {
      assert.equal((await post(strict.url, await present(mesh))).status, 200);
      await assert.rejects(post(strict.url, await trust()));
    } finally {
      await strict.running.terminate();
    }
  });
});

test("a Region whose certificate is not to be believed is named with the reason, and another one serves", async () => {
  const wrong = await serve("wrong", (text) => text.replace(`"${regions.regions[region]}", ca: ${regions.ca_file}`,
    `"${regions.regions[region]}", ca: ${certificates.file("ca.pem")}`));
  try {
    const reply = await post(wrong.url, await present(mesh));
    assert.equal(reply.status, 200, reply.body);
    const record = await wrong.record(reply.headers["x-portolan-call-id"]);
    const [refused, served] = record.portolan.attempts;
    assert.equal(refused.region, region);
    assert.equal(refused.error, "upstream_untrusted");
    assert.equal(refused.message,
      `${new URL(regions.regions[region]).host}: its certificate is not trusted: unable to get local issuer certificate`);
    assert.equal(served.served, true);
    assert.equal(record.additionalEventData.inferenceRegion, served.region);
  } finally {
    await wrong.running.terminate();
  }
});

describe("certificates of a running gateway", () => {
  const metric = async () => {
    const reply = await fetch(`${gateway.admin}/metrics`, { headers: { authorization: `Bearer ${gateway.key}` } });
    const [, seconds] = (await reply.text()).match(/portolan_certificate_expires_seconds\{certificate="[^"]*\/chain\.pem"\} (-?\d+)/);
    return Number(seconds) / 86_400;
  };

  test("are replaced under running calls without a failure", async () => {
    assert.ok(Math.abs((await metric()) - 60) < 0.1);
    const calls = sdk({ seconds: 4 });
    for (const name of ["second", "first", "second", "first", "second"]) {
      await sleep(600);
      await install(gateway.directory, name);
      assert.match(await gateway.reload(), /SIGHUP: configuration \w+ is in force/);
      assert.equal(await shown(gateway.url), name);
    }
    const { calls: count, failures } = await calls;
    assert.deepEqual(failures, []);
    assert.ok(count > 20, `${count} calls`);
  });

  test("that end within 30 days are warned of and counted down", async () => {
    assert.match(gateway.running.log, /warning: the certificate in \S+chain\.pem ends in 19 days, at 20\S+; renew it/);
    assert.ok(Math.abs((await metric()) - 20) < 0.1);
  });

  test("that are bad change nothing, and the log says why", async () => {
    await install(gateway.directory, "second", "first");
    assert.match(await gateway.reload(), /stays as it was[^]*key\.pem is not the key of the certificate in \S+chain\.pem/);
    assert.equal(await shown(gateway.url), "second");
    assert.equal((await post(gateway.url, await present(mesh))).status, 200);
    const { code, stdout } = await run(["check", "-c", gateway.file]);
    assert.equal(code, 2);
    assert.match(stdout, /portolan\.yaml:9:\d+ listen\.tls\.certificates\[0\]\.private_key: \S+key\.pem is not the key/);
    await install(gateway.directory, "first");
    assert.match(await gateway.reload(), /is in force/);
  });
});

test("`portolan check` refuses a private key that others may read", async () => {
  const { file, directory } = await configure("open");
  await install(directory, "first");
  await chmod(`${directory}/key.pem`, 0o644);
  const { code, stdout } = await run(["check", "-c", file]);
  assert.equal(code, 2);
  assert.match(stdout, /certificates\[0\]\.private_key: \S+key\.pem: others than its owner may use it \(mode 0644\); chmod 600 it/);
});

test("`portolan check` finds unreadable files where they are named", async () => {
  const { file } = await configure("check", (text) =>
    text.replace(certificates.file("other.key"), "/nowhere/key.pem").replace(certificates.file("ca.pem"), certificates.file("mesh.ext")));
  const { code, stdout } = await run(["check", "-c", file]);
  assert.equal(code, 2);
  assert.match(stdout, /certificates\[0\]\.certificate: \S+chain\.pem cannot be read: No such file/);
  assert.match(stdout, /certificates\[1\]\.private_key: \/nowhere\/key\.pem cannot be read/);
  assert.match(stdout, /listen\.tls\.client_ca: \S+mesh\.ext holds no certificate in PEM/);
});
