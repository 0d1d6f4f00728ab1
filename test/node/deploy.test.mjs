/* What deploy/ holds is well formed, and says what the program understands. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { BINARY, onhand, temporaryDirectory } from './harness.mjs';

const deploy = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../deploy');
const EXPOSURE_MAX = 2; /* of 10, as systemd-analyze reckons */

function run(program, args, options = {}) {
  const done = spawnSync(program, args, { encoding: 'utf8', ...options });
  assert.equal(done.error, undefined, `${program} runs`);
  return { ...done, said: `${done.stdout}${done.stderr}` };
}

/* ---- systemd ---- */

const systemd = path.join(deploy, 'systemd');
const units = fs.readdirSync(systemd).filter((name) => name.endsWith('.service'));

/* The units as they are, but for where the program is. */
function copied() {
  const directory = temporaryDirectory();
  for (const unit of units) {
    const text = fs.readFileSync(path.join(systemd, unit), 'utf8');
    assert.match(text, /^ExecStart=\/usr\/bin\/onhand /m);
    fs.writeFileSync(path.join(directory, unit), text.replace('/usr/bin/onhand', BINARY));
  }
  return units.map((unit) => path.join(directory, unit));
}

test('systemd finds nothing wrong with the units', () => {
  assert.equal(units.length, 3);
  const { status, said } = run('systemd-analyze', ['verify', ...copied()]);
  assert.equal(status, 0, said);
  assert.equal(said, '');
});

test('systemd finds the units little exposed', () => {
  for (const unit of copied()) {
    const { status, said } = run('systemd-analyze', ['security', '--offline=true', `--threshold=${EXPOSURE_MAX * 10}`, unit]);
    assert.equal(status, 0, said);
    assert.match(said, /Overall exposure level/);
  }
});

test('a unit with a mistake is noticed', () => {
  const [unit] = copied();
  fs.appendFileSync(unit, '[Service]\nRestart=sometimes\n');
  assert.notEqual(run('systemd-analyze', ['verify', unit]).said, '');
});

test('the units do not start again what cannot work, and only that', () => {
  const codes = Object.fromEntries([...fs.readFileSync(path.join(deploy, '../src/app/exit.h'), 'utf8').matchAll(/(EXIT_\w+) = (\d+)/g)]
    .map(([, name, code]) => [name, code]));
  for (const unit of units) {
    const text = fs.readFileSync(path.join(systemd, unit), 'utf8');
    assert.match(text, new RegExp(`^RestartPreventExitStatus=${codes.EXIT_BAD_USAGE} ${codes.EXIT_BAD_CONFIG}$`, 'm'));
    assert.match(text, /^Restart=always$/m);
    assert.match(text, /^StartLimitIntervalSec=0$/m);
  }
});

/* The program reads the file before it finds that the last key, which is ours, is wrong. */
test('the program understands the configuration files', () => {
  const files = fs.readdirSync(path.join(systemd, 'etc')).filter((name) => name.endsWith('.ini'));
  assert.equal(files.length, 3);
  for (const file of files) {
    const { status, stderr } = onhand('serve', '--config', path.join(systemd, 'etc', file), '--port', 'none');
    assert.equal(status, 78, stderr);
    assert.match(stderr, /--port: port: "none"|port: "none"/, `${file}: only the port is refused`);
  }
});
