/** A user of ES modules; beside it the CommonJS build in the same process, as it happens through a dependency. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import express from 'express';
import * as strongroom from 'express-strongroom';
import { drive } from './drive.cjs';

const required = createRequire(import.meta.url)('express-strongroom');
assert.deepEqual(Object.keys(strongroom).sort(), Object.keys(required).sort());
assert.equal(strongroom.getSecretManager(), required.getSecretManager());
await drive({ ...strongroom, express });
