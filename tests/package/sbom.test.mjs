// SPDX-License-Identifier: Apache-2.0
// The list of what Portolan is made of is whole, and says of each part what a scanner needs.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { repository, tree } from "./package.mjs";

const make = (...tools) =>
  execFileSync(process.execPath, [path.join(repository, "packaging/sbom.mjs"), tree, ...tools], { encoding: "utf8", maxBuffer: 1 << 26 });
const text = make("cmake");
const sbom = JSON.parse(text);
const named = (name) => sbom.components.filter((component) => component.name === name);

test("it is a CycloneDX 1.5 document about this version", () => {
  assert.equal(sbom.bomFormat, "CycloneDX");
  assert.equal(sbom.specVersion, "1.5");
  assert.match(sbom.metadata.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
  assert.equal(sbom.metadata.component.name, "portolan");
  assert.match(sbom.metadata.component.version, /^\d+\.\d+\.\d+$/);
});

test("every component has a type, a name, a version, a package URL, and a reference of its own", () => {
  const references = new Set();
  for (const component of sbom.components) {
    const told = JSON.stringify(component);
    assert.equal(component.type, "library", told);
    assert.match(component.name, /^(@[\w.-]+\/)?[\w.+-]+$/, told);
    assert.match(component.version, /^\S+$/, told);
    assert.match(component.purl, /^pkg:(deb\/debian\/[\w.%+-]+@[\w.%+~-]+\?arch=\w+&distro=debian-\d+|npm\/(%40[\w.-]+\/)?[\w.-]+@[\w.-]+)$/, told);
    assert.match(component.scope, /^(required|excluded)$/, told);
    assert.ok(!references.has(component["bom-ref"]), told);
    references.add(component["bom-ref"]);
  }
  const [{ ref, dependsOn }] = sbom.dependencies;
  assert.equal(ref, sbom.metadata.component["bom-ref"]);
  assert.ok(dependsOn.every((reference) => references.has(reference)));
});

test("what the binary loads is in it, and so are the libraries that are headers alone", () => {
  const needed = [...execFileSync("readelf", ["-d", path.join(tree, "portolan")], { encoding: "utf8" }).matchAll(/\(NEEDED\).*\[(\S+)\]/g)];
  assert.ok(needed.length > 5);
  const loaded = execFileSync("ldd", [path.join(tree, "portolan")], { encoding: "utf8" });
  for (const [, library] of needed) {
    const file = loaded.split("\n").find((line) => line.trim().startsWith(`${library} => `)).match(/=> (\S+)/)[1];
    // /lib is /usr/lib, and a package may have written either: dpkg fails for the other, and still tells.
    const places = [file, file.startsWith("/usr/") ? file.slice("/usr".length) : `/usr${file}`];
    const owner = spawnSync("dpkg", ["-S", ...places], { encoding: "utf8" }).stdout.split(":")[0];
    assert.deepEqual(named(owner).map(({ scope }) => scope), ["required"], `${library} of ${owner}`);
  }
  for (const library of ["libboost1.81-dev", "nlohmann-json3-dev", "libcli11-dev"])
    assert.deepEqual(named(library).map(({ scope }) => scope), ["required"], library);
  assert.deepEqual(named("cmake").map(({ scope }) => scope), ["excluded"]);
});

test("every package of the lock file is in it with its hash", () => {
  const { packages } = JSON.parse(readFileSync(path.join(repository, "tests/process/package-lock.json"), "utf8"));
  const locked = Object.entries(packages).filter(([place]) => place !== "");
  assert.ok(locked.length > 3);
  for (const [place, { version, integrity }] of locked) {
    const name = place.split("node_modules/").at(-1);
    const digest = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
    const found = named(name).filter((component) => component.version === version && component.hashes[0].content === digest);
    assert.ok(found.length > 0 && found.every(({ hashes, scope }) => hashes[0].alg === "SHA-512" && scope === "excluded"), place);
  }
});

test("the same build gives the same list", () => assert.equal(make("cmake"), text));
