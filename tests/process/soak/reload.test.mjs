// SPDX-License-Identifier: Apache-2.0
import { test } from "node:test";
import { reloadUnderLoad } from "../reload.mjs";

test("100 reloads under 1,000 calls a second: no call fails, none is unrecorded", (t) => reloadUnderLoad(t, { reloads: 100, rate: 1_000, seconds: 50 }));
