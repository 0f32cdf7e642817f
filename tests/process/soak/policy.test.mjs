// SPDX-License-Identifier: Apache-2.0
import { test } from "node:test";
import { changePoliciesUnderLoad } from "../policies.mjs";

test("100 changes of policies and freezes under 2,000 calls a second: no Region receives what is forbidden, no call fails that was allowed throughout", (t) =>
  changePoliciesUnderLoad(t, { changes: 100, rate: 2_000, windowMs: 150 }));
