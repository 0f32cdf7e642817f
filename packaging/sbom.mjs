// SPDX-License-Identifier: Apache-2.0
// The exact list of what Portolan is made of, as a CycloneDX 1.5 document: node packaging/sbom.mjs TREE [PACKAGE…]
//
// Nothing is written down by hand. The build in TREE says which headers each object was compiled from and what was linked;
// dpkg says which package each of these files belongs to, and in which version; the lock file says what the process tests
// take from npm. PACKAGEs are the build's own tools. `scope` is "required" for what is in the binary or loaded by it, and
// "excluded" for what only builds or tests it.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const [tree, ...tools] = process.argv.slice(2);
if (!tree) throw new Error("usage: node packaging/sbom.mjs TREE [PACKAGE…]");

const run = (program, ...args) => execFileSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28 });
const lines = (text) => text.split("\n").filter(Boolean);

/** File → package, for every file that dpkg has installed. /lib and /usr/lib are the same folder. */
function ownersOfFiles() {
  const owners = new Map();
  const folder = "/var/lib/dpkg/info";
  for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".list")))
    for (const file of lines(readFileSync(path.join(folder, name), "utf8")))
      owners.set(file.replace(/^\/(lib|lib64|bin|sbin)\//, "/usr/$1/"), name.slice(0, -".list".length));
  return owners;
}

/** Every file outside the repository that the binary's objects were compiled from. */
function headers() {
  const commands = run("ninja", "-C", tree, "-t", "commands", "portolan");
  const objects = [...commands.matchAll(/ -o (\S+\.o) -c /g)].map(([, object]) => object);
  const files = lines(run("ninja", "-C", tree, "-t", "deps", ...objects)).filter((line) => line.startsWith("    "));
  return new Set(files.map((line) => path.resolve(tree, line.trim())).filter((file) => file.startsWith("/usr/")));
}

/** Shared libraries that the loader takes for the binary, the libraries' own among them; not what is preloaded into us. */
function libraries() {
  const env = { ...process.env, LD_PRELOAD: "" };
  const told = execFileSync("ldd", [path.join(tree, "portolan")], { encoding: "utf8", env });
  return [...told.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, file]) => file);
}

function debianComponents() {
  const owners = ownersOfFiles();
  const uses = new Map(); // package → why it is here
  const note = (files, use) => {
    for (const file of files) {
      const owner = owners.get(file.replace(/^\/(lib|lib64)\//, "/usr/$1/"));
      if (!owner) throw new Error(`${file}: no Debian package has it; what was built with it cannot be listed`);
      if (!uses.has(owner)) uses.set(owner, use);
    }
  };
  note(libraries(), "loaded at run time");
  note(headers(), "compiled in, or its interface");
  for (const tool of tools) if (![...uses.keys()].some((owner) => owner.split(":")[0] === tool)) uses.set(tool, "build tool");

  const release = readFileSync("/etc/os-release", "utf8").match(/^VERSION_ID="?(\d+)/m)?.[1] ?? "unknown";
  const format = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${db:Status-Status}\n";
  const components = lines(run("dpkg-query", "-W", "-f", format, ...uses.keys())).map((line) => {
    const [name, version, architecture, source, sourceVersion, status] = line.split("\t");
    if (status !== "installed") throw new Error(`${name} is not installed`);
    const use = uses.get(name) ?? uses.get(`${name}:${architecture}`);
    const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-${release}`;
    return {
      type: "library",
      "bom-ref": purl,
      name,
      version,
      purl,
      scope: use === "build tool" ? "excluded" : "required",
      properties: [
        { name: "portolan:use", value: use },
        { name: "portolan:source", value: `${source} ${sourceVersion}` },
      ],
    };
  });
  return components;
}

function npmComponents() {
  const { packages } = JSON.parse(readFileSync(path.join(repository, "tests/process/package-lock.json"), "utf8"));
  return Object.entries(packages)
    .filter(([place]) => place !== "")
    .map(([place, { version, integrity }]) => {
      const name = place.slice(place.lastIndexOf("node_modules/") + "node_modules/".length);
      const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
      const [algorithm, digest] = integrity.split("-", 2);
      return {
        type: "library",
        "bom-ref": `${purl}#${place}`,
        name,
        version,
        purl,
        scope: "excluded",
        hashes: [{ alg: algorithm.toUpperCase().replace(/^SHA(\d)/, "SHA-$1"), content: Buffer.from(digest, "base64").toString("hex") }],
        properties: [{ name: "portolan:use", value: "process tests" }],
      };
    });
}

const byReference = (a, b) => (a["bom-ref"] < b["bom-ref"] ? -1 : 1);
const components = [...debianComponents(), ...npmComponents()].sort(byReference);
const version = run(path.join(tree, "portolan"), "--version").trim().replace("portolan ", "");
const commit = run("git", "-C", repository, "rev-parse", "HEAD").trim();
const epoch = process.env.SOURCE_DATE_EPOCH ?? run("git", "-C", repository, "log", "-1", "--format=%ct");
const self = `pkg:generic/portolan@${version}`;
const document = {
  bomFormat: "CycloneDX",
  specVersion: "1.5",
  version: 1,
  metadata: {
    timestamp: new Date(Number(epoch) * 1000).toISOString(),
    component: { type: "application", "bom-ref": self, name: "portolan", version, purl: self, properties: [{ name: "portolan:commit", value: commit }] },
  },
  components,
  dependencies: [{ ref: self, dependsOn: components.filter(({ scope }) => scope === "required").map((component) => component["bom-ref"]) }],
};
console.log(JSON.stringify(document, null, 1));
