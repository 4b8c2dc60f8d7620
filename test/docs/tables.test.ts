/** The tables of README: each row is in the code, and what is in the code has its row. */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { resolveRecordingOptions } from '../../src/audit/options.js';
import { REGISTERED_ACTIONS } from '../../src/audit/vocabulary.js';
import { COMMANDS } from '../../src/cli/commands.js';
import { ERROR_CODES, type ErrorName } from '../../src/errors.js';
import { resolveCaptureOptions } from '../../src/http/options.js';
import { ACCOUNT_WORDS, DEFAULT_TABLE } from '../../src/http/rules.js';
import { METRICS } from '../../src/metrics.js';
import * as publicNames from '../../src/index.js';
import { createSecretManager, StrongroomError, strongroom } from '../../src/index.js';
import { resolveSecretsOptions } from '../../src/secrets/options.js';
import { readDuration } from '../../src/settings.js';
import { codeWords, readPage, rowsOf } from './markdown.js';

const README = readPage('README.md');

/** Names no option has, however mistyped. */
const STRANGER = { xxxxxxxxxxxxxxxx: 1 } as object;
const TRAIL = { uri: 'mongodb://127.0.0.1/docs' };

describe('tables of README', () => {
  describe('options', () => {
    const OBJECTS: readonly [heading: string, prefix: string, options: object][] = [
      ['strongroom(options)', '', { audit: false, ...STRANGER }],
      ['strongroom(options)', 'hooks.', { audit: false, hooks: STRANGER }],
      ['Secrets options', 'secrets.', { audit: false, secrets: STRANGER }],
      ['Audit options', 'audit.', { audit: STRANGER }],
      ['Audit options', 'audit.redact.', { audit: { ...TRAIL, redact: STRANGER } }],
      ['Audit options', 'audit.evidence.', { audit: { ...TRAIL, evidence: STRANGER } }],
      ['Audit options', 'audit.spool.', { audit: { ...TRAIL, spool: STRANGER } }],
      ['Audit options', 'audit.failureLimit.', { audit: { ...TRAIL, failureLimit: STRANGER } }],
    ];
    /** They have rows for their members. */
    const PARENTS = ['hooks', 'audit.redact'];

    for (const heading of ['strongroom(options)', 'Secrets options', 'Audit options']) {
      it(`has a row for each option, and no other: ${heading}`, () => {
        const known = OBJECTS.filter(([under]) => under === heading).flatMap(([, prefix, options]) =>
          knownNames(() => strongroom(options as never)).map((name) => prefix + name),
        );
        expect(firstWords(heading, 'option')).to.have.members(known.filter((name) => !PARENTS.includes(name)));
      });
    }

    it('has a row for each option of roleChanges(), and no other', () => {
      const known = knownNames(() => strongroom({ audit: false }).roleChanges(STRANGER));
      expect(firstWords('Role changes at the data layer', 'option')).to.have.members(known);
    });

    it('has a row for each member of a rule, and no other', () => {
      const audit = { ...TRAIL, rules: () => [STRANGER as never] };
      const known = knownNames(() => strongroom({ audit }));
      expect(firstWords('What is recorded by itself', 'member of a rule')).to.have.members(known);
    });

    it('shows the defaults that the code fills in', () => {
      const secrets = resolveSecretsOptions({});
      const recording = resolveRecordingOptions({});
      expect(shownDefaults(['secrets.ttl', 'secrets.staleIfError', 'secrets.timeout'])).to.deep.equal([
        secrets.ttlMs,
        secrets.staleIfErrorMs,
        secrets.timeoutMs,
      ]);
      expect(shownDefaults(['audit.timeout', 'audit.abandonAfter', 'audit.maxPendingBytes'])).to.deep.equal([
        recording.timeoutMs,
        resolveCaptureOptions({}).abandonAfterMs,
        recording.maxPendingBytes,
      ]);
      expect(shownDefaults(['audit.failureLimit.burst', 'audit.failureLimit.perSecond'])).to.deep.equal(
        Object.values(recording.failureLimit),
      );
      expect(
        shownDefaults(['audit.app', 'audit.ipAddress', 'audit.userAgent', 'audit.pseudonymKey', 'audit.collection']),
      ).to.deep.equal([
        recording.app,
        recording.ipAddress,
        recording.userAgent,
        recording.pseudonymKey,
        strongroom({ audit: TRAIL }).audit.model.collection.name,
      ]);
    });
  });

  it('lists the providers, with what they may', () => {
    const rows = rowsOf(README, 'Providers', 'name');
    const provider = 'no provider' as never;
    expect(rows.map(([name]) => codeWords(name)[0])).to.have.members(
      knownNames(() => createSecretManager({ provider }), /known: ([a-z, ]+);/),
    );
    for (const [name, call, , production, writes] of rows) {
      const [exported = ''] = codeWords(call).map((text) => text.replace(/\(.*/, ''));
      const create = (publicNames as unknown as Record<string, (options: object) => { set?: unknown }>)[exported];
      const made = create?.(exported === 'fileProvider' ? { directory: '.' } : {});
      expect(made, exported).to.include({ name: codeWords(name)[0], productionSafe: production === 'yes' });
      expect(typeof made?.set === 'function', `${exported} writes`).to.equal(writes === 'yes');
    }
  });

  it('lists the registered actions, each under its group', () => {
    const rows = rowsOf(README, 'Actions', 'group');
    expect(rows.flatMap(([, actions]) => codeWords(actions))).to.have.members([...REGISTERED_ACTIONS]);
    for (const [group, actions] of rows) {
      for (const action of codeWords(actions)) expect(action.split('.')[0]).to.equal(group);
    }
  });

  it('shows the default rules as they are, in their order', () => {
    const shown = rowsOf(README, 'What is recorded by itself', 'action').map(([action, methods, paths = '']) => ({
      action: codeWords(action)[0],
      methods: methods === 'any' ? ['*'] : methods?.split(', '),
      paths: paths.startsWith('any path')
        ? ['*']
        : [...paths.matchAll(/(\(a\) )?`([^`]+)`/g)].map(([, mark = '', path]) => mark + path),
      isConditional: paths.includes('; only when'),
    }));
    expect(shown).to.deep.equal(
      DEFAULT_TABLE.map(({ action, methods, paths, when }) => ({
        action,
        methods,
        paths,
        isConditional: when !== undefined,
      })),
    );
    // The code has them as patterns.
    const words = ACCOUNT_WORDS.map((word) => word.replace('s?', '(s)').replace('v\\d+', 'v1 v2 ...'));
    expect(README.text).to.include(`${words.join(', ')}:`);
    expect(
      new Set(DEFAULT_TABLE.map(({ action, target }) => [action === 'access.denied', target].join())),
    ).to.deep.equal(new Set(['false,user', 'true,route']));
  });

  it('lists the members of an event', async () => {
    const room = strongroom({ audit: false });
    const event = await room.audit.record({ action: 'user.update' });
    expect(firstWords('The event', 'member')).to.deep.equal(Object.keys(event));
    await room.close();
  });

  it('lists what a room and its trail have', () => {
    const room = strongroom({ audit: false });
    const members = Object.getOwnPropertyNames(room).filter(
      (name) => !Object.hasOwn(() => undefined, name) && name !== 'prototype',
    );
    expect(calledNames('Quick start', 'member')).to.have.members(members.map((name) => `room.${name}`));
    const sections = ['Reading', 'Recording yourself', 'Proving it'].flatMap((name) => calledNames(name, 'method'));
    // Not a method of the trail, but what to do with what one of them gives.
    const methods = [...sections.filter((name) => name !== 'assertIntact'), 'runAs'];
    expect(methods).to.have.members(Object.getOwnPropertyNames(room.audit));
    expect(README.text).to.include(`room.audit.runAs(`);
    const figures = rowsOf(README, 'Reading', 'method').find(([name]) => name === '`stats()`')?.[1];
    expect(namesIn(codeWords(figures)[0])).to.have.members(Object.keys(room.audit.stats()));
  });

  it('names every member of a filter', async () => {
    const problem = await strongroom({ audit: false })
      .audit.count(STRANGER)
      .catch((error: unknown) => (error as Error).message);
    const sentence = /^A filter has ([\s\S]*?)\.$/m.exec(README.text)?.[1];
    expect(codeWords(sentence)).to.have.members(knownIn(String(problem)));
  });

  it('lists the events and filters that hooks know', () => {
    const { hooks } = strongroom({ audit: false });
    const name = 'xxxxxxxxxxxxxxxx' as never;
    expect(firstWords('Hooks', 'event')).to.have.members(knownNames(() => hooks.on(name, () => undefined)));
    expect(firstWords('Hooks', 'filter')).to.have.members(knownNames(() => hooks.filter(name, (() => null) as never)));
  });

  it('lists the metrics as they are', () => {
    const shown = rowsOf(README, 'Metrics', 'metric').map(([name, kind, unit, attributes, meaning]) => [
      codeWords(name)[0],
      { kind, unit: codeWords(unit)[0], attributes: codeWords(attributes), description: meaning },
    ]);
    const known = Object.entries(METRICS).map(([name, { kind, unit, attributes = [], description }]) => [
      name,
      { kind, unit, attributes, description },
    ]);
    expect(shown).to.deep.equal(known);
  });

  it('lists every error code with its class and status', () => {
    const CLASSES: readonly [RegExp, string][] = [
      [/^SECRET_/, 'SecretError'],
      [/^AUDIT_/, 'AuditWriteError'],
      [/^QUERY_/, 'QueryError'],
      [/^APPEND_ONLY_/, 'AppendOnlyError'],
      [/^OPTIONS_/, 'OptionsError'],
      [/^(CLOSED|LEDGER_ALARM)$/, 'StateError'],
    ];
    const shown = rowsOf(README, 'Errors', 'code').map(([code, name, status]) => [
      codeWords(code)[0],
      codeWords(name)[0],
      Number(status),
    ]);
    const known = (Object.keys(ERROR_CODES) as ErrorName[]).map((code) => [
      code,
      CLASSES.find(([pattern]) => pattern.test(code))?.[1],
      ERROR_CODES[code].status,
    ]);
    expect(shown).to.have.deep.members(known);
    for (const [, name] of known) {
      const exported = (publicNames as unknown as Record<string, { prototype: unknown }>)[String(name)];
      expect(exported?.prototype, String(name)).to.be.instanceOf(StrongroomError);
    }
  });

  it('lists the commands of the command line, each with its flags', () => {
    const shown = rowsOf(README, 'Command line', 'command').map(([name, , flags]) => [
      codeWords(name),
      codeWords(flags),
    ]);
    const known = COMMANDS.map(({ name, flags }) => [[name], Object.keys(flags).map((flag) => `--${flag}`)]);
    expect(shown).to.deep.equal(known);
  });

  it('promises the versions that the package accepts', () => {
    const { engines, peerDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      engines: { node: string };
      peerDependencies: Record<string, string>;
    };
    const accepted = rowsOf(README, 'Compatibility', 'what').map(([what, range]) => [what, range]);
    expect({ engines, peerDependencies }).to.deep.equal({
      engines: { node: '>=20.19' },
      peerDependencies: { '@opentelemetry/api': '^1.9.0', express: '>=4.21 <6', mongoose: '>=8.9 <10' },
    });
    expect(accepted).to.deep.include(['OpenTelemetry', '`@opentelemetry/api` 1.9 or newer 1.x; optional']);
    expect(accepted.slice(0, 3)).to.deep.equal([
      ['Node.js', '20.19 or newer'],
      ['Express', '4.21 or newer, 5'],
      ['mongoose', '8.9 or newer, 9'],
    ]);
  });
});

/** What the code says is known, when it is given a name that it does not know. */
function knownNames(act: () => unknown, pattern?: RegExp): string[] {
  try {
    act();
  } catch (error) {
    return knownIn((error as Error).message, pattern);
  }
  throw new Error('the code takes an unknown name');
}

function knownIn(message: string, pattern: RegExp = /known: (.+)$/): string[] {
  const known = pattern.exec(message)?.[1];
  if (known === undefined) throw new Error(`no known names in: ${message}`);
  return known.split(', ');
}

function firstWords(heading: string, column: string): string[] {
  return rowsOf(README, heading, column).map(([cell]) => codeWords(cell)[0] ?? '');
}

/** As `firstWords`, without the arguments of a call. */
function calledNames(heading: string, column: string): string[] {
  return firstWords(heading, column).map((word) => word.replace(/\(.*/, ''));
}

function namesIn(shape: string | undefined): string[] {
  return (shape ?? '').match(/\w+/g) ?? [];
}

function shownDefaults(options: readonly string[]): unknown[] {
  const rows = [...rowsOf(README, 'Secrets options', 'option'), ...rowsOf(README, 'Audit options', 'option')];
  return options.map((option) => {
    const cell = rows.find(([name]) => codeWords(name)[0] === option)?.[1] ?? '';
    const mebibytes = /^(\d+) MiB$/.exec(cell)?.[1];
    if (mebibytes !== undefined) return Number(mebibytes) * 2 ** 20;
    const value = JSON.parse((codeWords(cell)[0] ?? '').replaceAll("'", '"')) as unknown;
    return readDuration(value) ?? value;
  });
}
