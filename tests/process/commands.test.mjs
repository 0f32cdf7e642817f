// SPDX-License-Identifier: Apache-2.0
// The command line as a person meets it: help, completion, the manual, and what mistyped words are answered.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { Portolan, globalProfile, run, usProfile } from "./portolan.mjs";

let portolan;
let commands; // every command with its help, by its words: "sandbox fault"
before(async () => {
  portolan = await Portolan.up();
  commands = await walk([]);
});
after(() => portolan?.stop());

async function walk(words) {
  const { code, stdout } = await run([...words, "--help"]);
  assert.equal(code, 0, words.join(" "));
  const found = new Map(words.length > 0 ? [[words.join(" "), stdout]] : []);
  const below = stdout.split(/^Subcommands:$/m)[1] ?? "";
  for (const [, name] of below.split("\n\n")[0].matchAll(/^ {2}([a-z][a-z-]*)\b/gm))
    for (const entry of await walk([...words, name])) found.set(...entry);
  return found;
}

describe("help", () => {
  test("every command has an example", () => {
    for (const known of ["up", "serve", "sandbox clear", "sandbox counts", "trail lookup", "completion", "manual"]) assert.ok(commands.has(known), known);
    const groups = [...commands.keys()].filter((command) => [...commands.keys()].some((other) => other.startsWith(`${command} `)));
    for (const [command, help] of commands) if (command === "sandbox" || !groups.includes(command)) assert.match(help, /Example/, command);
  });

  test("the manual tells of every command and option", async () => {
    const { stdout: page } = await run(["manual"]);
    const text = page.replaceAll("\\-", "-");
    for (const [command, help] of commands) {
      assert.ok(text.includes(`\n.SS portolan ${command}\n`), command);
      for (const [option] of help.matchAll(/--[a-z][a-z-]+/g)) assert.ok(text.includes(option), `${command} ${option}`);
    }
  });
});

describe("completion in bash", () => {
  let script;
  before(async () => ({ stdout: script } = await run(["completion", "bash"])));
  const complete = (...words) => {
    const line = `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _portolan; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { status, stdout, stderr } = spawnSync("bash", ["-euc", line, "bash", "portolan", ...words], { encoding: "utf8" });
    assert.equal(stderr, "");
    assert.equal(status, 0);
    return stdout.trim().split("\n").filter(Boolean).sort();
  };

  test("offers every command and every option", () => {
    assert.deepEqual(complete("").filter((word) => !word.startsWith("-")), [...commands.keys()].filter((words) => !words.includes(" ")).sort());
    for (const [command, help] of commands) {
      const lines = help.split(/^Options:$/m)[1].split("\n\n")[0].matchAll(/^ {2}(-\S+)/gm);
      const options = [...lines].flatMap(([, names]) => names.split(",")).filter((name) => name.startsWith("--"));
      assert.deepEqual(complete(...command.split(" "), "--"), options.sort(), command);
    }
  });

  test("offers the values that an option allows, and leaves the rest to the names of files", () => {
    assert.deepEqual(complete("load", "--operation", "conv"), ["converse", "converse-stream"]);
    assert.deepEqual(complete("completion", ""), ["--help", "-h", "bash"].sort());
    assert.deepEqual(complete("check", "-c", ""), []);
    assert.deepEqual(complete("explain", "--principal", "up", "--prof"), ["--profile"]);
  });
});

describe("a mistyped word is answered with what is expected", () => {
  const refused = async (...args) => {
    const { code, stdout, stderr } = await portolan.cli(args);
    assert.equal(code, 2, stdout + stderr);
    return stderr;
  };

  test("numbers, with their range", async () => {
    for (const wrong of ["70000", "-1", "1x", "0x10"]) {
      const said = await refused("up", "--port", wrong);
      assert.ok(said.includes("--port") && said.includes("from 0 to 65535") && said.includes(`'${wrong}'`), said);
    }
    assert.match(await refused("trail", "lookup", "--limit", "-1"), /--limit: a whole number from 0/);
  });

  test("Regions: the nearest one, or none when none is near", async () => {
    assert.match(await refused("up", "--source-region", "us-eest-1"), /did you mean us-east-1\?/);
    for (const args of [["up", "--source-region", "mars"], ["sandbox", "--from", "mars"]]) {
      const said = await refused(...args);
      assert.match(said, /mars: there is no such Region\n$/);
    }
  });

  test("outcomes, asked of a gateway or of the files", async () => {
    for (const where of [[], ["--data-dir", portolan.dataDir]]) {
      assert.match(await refused("trail", "lookup", "--outcome", "nonsense", ...where), /served, denied, failed or an errorCode/);
      assert.match(await refused("trail", "lookup", "--outcome", "servd", ...where), /did you mean served\?/);
    }
  });
});

test("a look-up that finds nothing says only that", async () => {
  const { code, stdout } = await portolan.cli(["trail", "lookup", "--tenant", "nobody"]);
  assert.equal(code, 0);
  assert.equal(stdout, "no record matches\n");
});

test("explain tells a person which stops a refused call does not reach, and a program by a flag", async () => {
  const question = ["explain", "--principal", portolan.ready.second_tenant.access_key_id, "--profile", globalProfile];
  const { code, stdout } = await portolan.cli(question);
  assert.equal(code, 1);
  const marks = [...stdout.matchAll(/^\d (\w+) +(ok|NO|-) +(.*)$/gm)].map(([, stop, mark, detail]) => ({ stop, mark, detail }));
  assert.deepEqual(marks.map(({ mark }) => mark), ["ok", "ok", "ok", "NO", "-", "-", "-", "-", "ok"]);
  for (const { mark, detail } of marks) if (mark === "-") assert.equal(detail, "not reached: the call ends at stop 4");
  assert.match(stdout, /^refused; the caller is answered HTTP 403 AccessDeniedException$/m);
  assert.doesNotMatch(stdout, /[a-z]_[a-z]/, "an internal name");

  const { verdicts, error_code: errorCode } = JSON.parse((await portolan.cli([...question, "--json"])).stdout);
  assert.equal(errorCode, "access_denied");
  assert.deepEqual(verdicts.map(({ reached }) => reached), [true, true, true, true, false, false, false, false, true]);
});

test("load makes calls of each kind", async () => {
  for (const operation of ["converse", "converse-stream", "invoke-model", "invoke-model-stream", "chat", "chat-stream"]) {
    const { code, stdout, stderr } = await run([
      ...["load", "--url", portolan.gateway, "--operation", operation, "--model", usProfile, "--api-key", portolan.apiKey],
      ...["--concurrency", "1", "--calls", "2", "--output-tokens", "3", "--json"],
    ]);
    assert.equal(code, 0, `${operation}: ${stderr}${stdout}`);
    const names = new Set((await portolan.trail("--limit", 2)).map(({ eventName, portolan: { stream } }) => `${eventName} ${stream}`));
    assert.equal(names.size, 1);
  }
  const streamed = (await portolan.trail("--event-name", "InvokeModelWithResponseStream")).length;
  assert.equal(streamed, 2);
});
