// SPDX-License-Identifier: Apache-2.0
// The calls in the README and in docs/operate, run verbatim against the demonstration. A block runs when `<!-- run -->`
// stands on the line above. They name the demonstration's own ports, so the test needs 8080 and 8081 to be free.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { Portolan, repository, usDestinations } from "./portolan.mjs";

async function blocksOf(page) {
  const text = await readFile(path.join(repository, page), "utf8");
  return [...text.matchAll(/^<!-- run -->\n```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({ page, language, text }));
}

const operate = (await readdir(path.join(repository, "docs/operate"))).map((name) => `docs/operate/${name}`).sort();
const blocks = (await Promise.all(["README.md", ...operate].map(blocksOf))).flat();
const here = path.dirname(fileURLToPath(import.meta.url));

function isFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

function execute(command, args, options) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    child.stderr.on("data", (text) => (output += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}

async function runBlock({ language, text }, env) {
  if (language === "sh") return execute("bash", ["-euo", "pipefail", "-c", text], { cwd: repository, env });
  assert.equal(language, "js");
  const folder = path.join(here, "node_modules", ".readme"); // where the SDK is found, and nothing is tracked
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "call.mjs"), text);
  return execute(process.execPath, [path.join(folder, "call.mjs")], { cwd: repository, env });
}

test("the documents' calls work as they stand", async (t) => {
  assert.ok(blocks.filter(({ page }) => page === "README.md").length >= 7, "the README's blocks are marked to run");
  assert.ok(blocks.length >= 15, `${blocks.length} blocks are marked to run`);
  if (!(await isFree(8080)) || !(await isFree(8081))) return t.skip("port 8080 or 8081 is taken by another program");
  const dataDir = await mkdtemp(path.join(tmpdir(), "portolan-readme-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const portolan = await Portolan.up({ dataDir, port: 8080, adminPort: 8081 });
  t.after(() => portolan.stop());
  assert.equal(portolan.gateway, "http://127.0.0.1:8080");

  for (const [index, block] of blocks.entries()) {
    await t.test(`${block.page}, block ${index + 1}: ${block.text.split("\n", 1)[0]}`, async () => {
      const { code, output } = await runBlock(block, { PATH: process.env.PATH, HOME: process.env.HOME, PORTOLAN_DATA_DIR: dataDir });
      assert.equal(code, 0, output);
      assert.ok(output.trim() || /sandbox (fault|clear)/.test(block.text), "it says nothing");
      if (/\/(converse|chat)/.test(block.text) && block.text.includes("curl ")) {
        const [, region] = output.match(/^x-portolan-inference-region: (\S+)\r?$/m) ?? assert.fail(output);
        if (block.text.includes("/us.")) assert.ok(usDestinations.includes(region), region);
      }
    });
  }
});
