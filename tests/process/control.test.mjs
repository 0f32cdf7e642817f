// SPDX-License-Identifier: Apache-2.0
// The stock SDK for Bedrock's control plane lists profiles and models.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  GetInferenceProfileCommand,
  ListFoundationModelsCommand,
  ListInferenceProfilesCommand,
  paginateListInferenceProfiles,
} from "@aws-sdk/client-bedrock";
import { Portolan, globalProfile, model, usDestinations, usProfile } from "./portolan.mjs";

let portolan;
before(async () => (portolan = await Portolan.up()));
after(() => portolan?.stop());

const modelArn = (region) => `arn:aws:bedrock:${region}::foundation-model/${model}`;

test("ListInferenceProfiles lists what can be called from the source Region", async () => {
  const { inferenceProfileSummaries: profiles } = await portolan.control().send(new ListInferenceProfilesCommand({ maxResults: 1000 }));
  const ids = profiles.map((profile) => profile.inferenceProfileId);
  assert.ok(ids.includes(usProfile) && ids.includes(globalProfile), ids.join(" "));
  assert.equal(ids.filter((id) => id.startsWith("eu.")).length, 0, "an eu. profile cannot be called from the US");
  const us = profiles.find((profile) => profile.inferenceProfileId === usProfile);
  assert.equal(us.type, "SYSTEM_DEFINED");
  assert.equal(us.status, "ACTIVE");
  assert.match(us.inferenceProfileArn, new RegExp(`^arn:aws:bedrock:${portolan.sourceRegion}:\\d{12}:inference-profile/us\\.anthropic`));
  assert.deepEqual(us.models.map((entry) => entry.modelArn).sort(), usDestinations.map(modelArn));
});

test("the list depends on the Region that is asked", async () => {
  const control = portolan.control({ region: "eu-central-1" });
  const { inferenceProfileSummaries: profiles } = await control.send(new ListInferenceProfilesCommand({ maxResults: 1000 }));
  const ids = profiles.map((profile) => profile.inferenceProfileId);
  assert.ok(ids.includes(`eu.${model}`));
  assert.ok(!ids.includes(usProfile));
});

test("the SDK's paginator walks the whole list, and application profiles are a type of their own", async () => {
  const control = portolan.control();
  const whole = await control.send(new ListInferenceProfilesCommand({ maxResults: 1000 }));
  const walked = [];
  for await (const page of paginateListInferenceProfiles({ client: control, pageSize: 5 }, {}))
    walked.push(...page.inferenceProfileSummaries.map((profile) => profile.inferenceProfileId));
  assert.deepEqual(
    walked,
    whole.inferenceProfileSummaries.map((profile) => profile.inferenceProfileId),
  );
  const applications = await control.send(new ListInferenceProfilesCommand({ typeEquals: "APPLICATION" }));
  assert.ok(applications.inferenceProfileSummaries.every((profile) => profile.type === "APPLICATION"));
});

test("GetInferenceProfile takes an id and an ARN", async () => {
  const control = portolan.control();
  const byId = await control.send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: usProfile }));
  assert.equal(byId.inferenceProfileId, usProfile);
  assert.deepEqual(byId.models.map((entry) => entry.modelArn).sort(), usDestinations.map(modelArn));
  const byArn = await control.send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: byId.inferenceProfileArn }));
  assert.equal(byArn.inferenceProfileId, usProfile);
});

test("GetInferenceProfile of a global profile names the model without a Region too", async () => {
  const profile = await portolan.control().send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: globalProfile }));
  const arns = profile.models.map((entry) => entry.modelArn);
  assert.ok(arns.includes(`arn:aws:bedrock:::foundation-model/${model}`), arns.join(" "));
});

test("GetInferenceProfile of an unknown profile is ResourceNotFoundException", async () => {
  const asked = portolan.control().send(new GetInferenceProfileCommand({ inferenceProfileIdentifier: "us.anthropic.claude-none" }));
  await assert.rejects(asked, { name: "ResourceNotFoundException" });
});

test("ListFoundationModels lists the models with their providers", async () => {
  const { modelSummaries } = await portolan.control().send(new ListFoundationModelsCommand({}));
  const summary = modelSummaries.find((entry) => entry.modelId === model);
  assert.equal(summary.providerName, "Anthropic");
  assert.equal(summary.modelArn, modelArn(portolan.sourceRegion));
});

test("every one of these calls left a record without an inference Region", async () => {
  const records = await portolan.trail("--limit", 0);
  const names = new Set(records.map((record) => record.eventName));
  assert.deepEqual([...names].sort(), ["GetInferenceProfile", "ListFoundationModels", "ListInferenceProfiles"]);
  assert.ok(records.every((record) => record.additionalEventData?.inferenceRegion === undefined));
});
