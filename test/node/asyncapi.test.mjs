/* The document of the stream that is checked in, judged by the parser of AsyncAPI's makers, and its examples by Ajv. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { Parser } from '@asyncapi/parser';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';

const file = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../api/asyncapi.json');
const text = fs.readFileSync(file, 'utf8');
const raw = JSON.parse(text);

/* Of AsyncAPI 3.0: neither errors nor warnings; that there is a newer version is only information. */
const WARNING = 1;

async function parse(source) {
  const { document, diagnostics } = await new Parser().parse(source);
  return { document, faults: diagnostics.filter(({ severity }) => severity <= WARNING).map(({ code, path: at, message }) => `${code} at ${at.join('/')}: ${message}`) };
}

test('the parser finds no fault', async () => {
  const { document, faults } = await parse(text);
  assert.deepEqual(faults, []);
  assert.equal(document.version(), '3.0.0');
  assert.equal(document.messages().length > 0, true);
});

test('the parser would find one', async () => {
  const broken = structuredClone(raw);
  broken.operations.publishRedisStream.channel.$ref = '#/channels/elsewhere';
  assert.notDeepEqual((await parse(JSON.stringify(broken))).faults, []);
});

test('each message can be sent over each broker', () => {
  const kinds = Object.keys(raw.components.messages).sort();
  for (const server of Object.keys(raw.servers)) {
    const channels = Object.values(raw.channels).filter(({ servers }) => servers.some(({ $ref }) => $ref === `#/servers/${server}`));
    const sent = channels.flatMap(({ messages }) => Object.keys(messages)).sort();
    assert.deepEqual(sent, kinds, server);
  }
});

test('the examples, which the program wrote, are valid, and nothing less is', () => {
  const ajv = new Ajv({ strict: false });
  addFormats(ajv);
  ajv.addFormat('int64', { type: 'number', validate: Number.isInteger });
  for (const [name, message] of Object.entries(raw.components.messages)) {
    const valid = ajv.compile(raw.components.schemas[name]);
    assert.ok(message.examples.length > 0, name);
    for (const { payload } of message.examples) {
      assert.ok(valid(payload), `${name}: ${ajv.errorsText(valid.errors)}`);
      for (const member of Object.keys(payload)) {
        const { [member]: left, ...less } = payload;
        assert.ok(!valid(less), `${name} without ${member}: ${JSON.stringify(left)}`);
      }
      for (const member of Object.keys(payload.data)) {
        const { [member]: left, ...data } = payload.data;
        assert.ok(!valid({ ...payload, data }), `${name} without data.${member}: ${JSON.stringify(left)}`);
      }
    }
  }
});
