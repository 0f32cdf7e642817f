// SPDX-License-Identifier: Apache-2.0
import { test } from "node:test";
import { rollUnderLoad } from "../rolling.mjs";

test("20 rolling restarts under 1,000 calls a second: no call fails, none is unrecorded", (t) => rollUnderLoad(t, { handOvers: 20, rate: 1_000, seconds: 60 }));
