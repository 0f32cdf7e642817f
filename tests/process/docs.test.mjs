// SPDX-License-Identifier: Apache-2.0
// The documents say what the code says: generated pages, tables of errors, metrics, rooms and commands, the example.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { ConverseCommand } from "@aws-sdk/client-bedrock-runtime";
import { writeSet } from "./policies.mjs";
import { Portolan, Running, repository, run, usProfile } from "./portolan.mjs";

const read = (...file) => readFile(path.join(repository, ...file), "utf8");
const all = (text, pattern) => [...text.matchAll(pattern)].map(([, ...groups]) => groups);

describe("generated pages", () => {
  for (const [words, file] of [["check --reference", "configuration.md"], ["check --schema", "portolan.schema.json"], ["policy lint --reference", "policy_lint.md"], ["policy check --reference", "organization.md"], ["policy check --schema", "organization.schema.json"]])
    test(`docs/reference/${file} is what \`portolan ${words}\` prints (./dev docs writes it)`, async () => {
      const { code, stdout } = await run(words.split(" "));
      assert.equal(code, 0);
      assert.equal(await read("docs/reference", file), stdout);
    });
});

test("docs/operate/errors.md lists every error with its statuses and types", async () => {
  const table = await read("src/base/error_codes.def");
  const codes = all(table, /^PORTOLAN_ERROR\((\w+), \w+, \w+, (\d+), "(\w+)", (\d+), "(\w+)"\)/gm);
  const page = await read("docs/operate/errors.md");
  const rows = all(page, /^\| `(\w+)` \| (\d+) \/ (\d+) \| (\w+) \/ (\w+) \|/gm);
  assert.ok(codes.length > 40);
  assert.deepEqual(
    rows.toSorted(),
    codes.map(([code, bedrock, bedrockType, openai, openaiType]) => [code, bedrock, openai, bedrockType, openaiType]).toSorted(),
  );
});

test("docs/operate/policy_evaluation.md lists every condition key that a call has", async () => {
  const [, listed] = (await read("src/policy/cross_region.cc")).match(/supplied_keys\(\) \{([^]*?)return keys;/);
  const [, section] = (await read("docs/operate/policy_evaluation.md")).match(/## What is in the request\n([^]*?)\n\n[^|]/);
  const keys = all(section, /^\| (`.*?) \|/gm).flatMap(([cell]) => all(cell, /`([^`]+)`/g).flat());
  assert.deepEqual(keys.map((key) => key.toLowerCase().replace("/key", "/")).toSorted(), all(listed, /"([^"]+)"/g).flat().toSorted());
});

test("every test that SECURITY.md points to is there", async () => {
  const page = await read("SECURITY.md");
  const sources = (await readdir(path.join(repository, "src"), { recursive: true })).filter((name) => name.endsWith("_test.cc"));
  const unit = new Set(all((await Promise.all(sources.map((name) => read("src", name)))).join("\n"), /^TEST(?:_F)?\((\w+), (\w+)\)/gm).map((names) => names.join(".")));
  const named = all(page, /`([A-Z]\w+\.[A-Z]\w+)`/g).flat();
  assert.ok(named.length > 20);
  for (const name of named) assert.ok(unit.has(name), name);
  const others = new Set([...(await readdir(path.join(repository, "tests/process"))), ...(await readdir(path.join(repository, "tests/package")))]);
  for (const [file] of all(page, /`(\w+\.test\.mjs)`/g)) assert.ok(others.has(file), file);
});

test("src/README.md names every room that src/CMakeLists.txt declares", async () => {
  const rooms = all(await read("src/CMakeLists.txt"), /^portolan_room\((\w+)/gm).flat();
  const named = all(await read("src/README.md"), /^\| [^|]+ \| `(\w+)\/` \|/gm).flat();
  assert.deepEqual(named.toSorted(), rooms.toSorted());
});

describe("against a running gateway", () => {
  let portolan;
  let scratch;
  before(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), "portolan-docs-"));
    portolan = await Portolan.up({ args: ["--tls", "--tls-port", "0"] });
  });
  after(async () => {
    await portolan?.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  test("docs/operate/metrics.md lists every metric with its type, labels and meaning", async () => {
    // A series appears with its first event: a served call with a failed attempt, and a refused call.
    await portolan.fault(portolan.sourceRegion, "refuse");
    await portolan.runtime().send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] }));
    await portolan.clear();
    await fetch(`${portolan.gateway}/nowhere`);
    await portolan.cli(["policy", "freeze", "all", "--why", "to see it counted"]);
    await assert.rejects(portolan.runtime().send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] })));
    await portolan.cli(["policy", "unfreeze", "all", "--why", "it was"]);
    await portolan.json(["policy", "apply", await writeSet(path.join(scratch, "policies"), {}), "--shadow", "--json", "--why", "to see it counted"]);
    await portolan.runtime().send(new ConverseCommand({ modelId: usProfile, messages: [{ role: "user", content: [{ text: "#tokens=1" }] }] }));
    const reply = await fetch(`${portolan.admin}/metrics`, { headers: { authorization: `Bearer ${portolan.ready.admin_key}` } });
    const scrape = await reply.text();
    const labels = (name) => {
      const [, found = ""] = scrape.match(new RegExp(`^${name}\\{([^}]*)\\}`, "m")) ?? [];
      return all(found, /(\w+)="/g).join(", ");
    };
    const helps = new Map(all(scrape, /^# HELP (\S+) (.*)$/gm));
    const expected = all(scrape, /^# TYPE (\S+) (\S+)$/gm).map(([name, type]) => [name, type, labels(name), helps.get(name)]);
    const rows = all(await read("docs/operate/metrics.md"), /^\| `(\w+)` \| (\w+) \| ([^|]*?) ?\| (.*) \|$/gm);
    assert.deepEqual(rows, expected);
  });

  test("every command that the documents name exists", async () => {
    const pages = (await readdir(path.join(repository, "docs"), { recursive: true })).filter((name) => name.endsWith(".md"));
    const texts = await Promise.all([read("README.md"), ...pages.map((page) => read("docs", page))]);
    const commands = new Set(all(texts.join("\n"), /\bportolan ((?:sandbox|trail|key|policy|profile) [a-z]+|up|serve|check|explain|load|backup|restore|sandbox)\b/g).flat());
    assert.ok(commands.size >= 9, [...commands].join(", "));
    for (const command of commands) {
      const { code, stderr } = await run([...command.split(" "), "--help"]);
      assert.equal(code, 0, `portolan ${command}: ${stderr}`);
    }
  });

  test("examples/portolan.yaml serves, and explain answers for it", async (t) => {
    const dataDir = path.join(scratch, "data");
    const file = path.join(scratch, "portolan.yaml");
    const example = await read("examples/portolan.yaml");
    const text = example
      .replace(/^data_dir: \S+/m, `data_dir: ${dataDir}`)
      .replaceAll(/https:\/\/bedrock-runtime[.\w-]+/g, "http://127.0.0.1:9") // names are resolved at the start
      .replace("port: 8080", "port: 0")
      .replace("port: 8081", "port: 0");
    await writeFile(file, text);
    const env = { PORTOLAN_PROVIDER_SECRET: "not-a-real-secret-1", PORTOLAN_ALICE_SECRET: "not-a-real-secret-2" };
    const gateway = new Running(["serve", "-c", file], { env });
    t.after(() => gateway.terminate());
    await gateway.until(() => /serving on/.test(gateway.log), "serving");
    const ask = (...words) => run(["explain", ...words], { env: { PORTOLAN_DATA_DIR: dataDir } });
    const profile = "coasts.anthropic.claude-3-haiku-20240307-v1:0";
    const alice = await ask("--principal", "alice", "--profile", profile);
    assert.equal(alice.code, 0, alice.stderr);
    assert.match(alice.stdout, /may run in us-east-1, us-west-2/);
    const notebook = await ask("--principal", "notebook", "--profile", profile);
    assert.match(notebook.stdout, /may run in us-east-1; pruned by the tenant's rules: us-west-2/);
    const abroad = await ask("--principal", "notebook", "--profile", "global.anthropic.claude-sonnet-4-5-20250929-v1:0");
    assert.equal(abroad.code, 1, abroad.stdout);
  });
});
