/** The tree of RFC 6962: the reference values of Certificate Transparency, and the plain recursive definition at every size. */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  CompactRange,
  EMPTY_ROOT,
  hashAt,
  inclusionPath,
  leafHash,
  nodeHash,
  pathOfNewest,
  peakCount,
  rootFromInclusion,
  rootOf,
  splitHashes,
} from '../../src/evidence/tree.js';

/** The eight leaves that the tests of Certificate Transparency logs share, and the root over the first one, two, ... of them. */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const PATHS: readonly (readonly [index: number, size: number, path: readonly string[]])[] = [
  [0, 1, []],
  [
    0,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    5,
    8,
    [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
  [
    1,
    5,
    [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
];

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const reference = LEAVES.map((leaf) => leafHash(Buffer.from(leaf, 'hex')));

/** RFC 6962 section 2.1, word by word. */
function plainRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length <= 1) return leaves[0] ?? sha256();
  const split = largestPowerBelow(leaves.length);
  return sha256(Buffer.of(1), plainRoot(leaves.slice(0, split)), plainRoot(leaves.slice(split)));
}

/** RFC 6962 section 2.1.1, word by word. */
function plainPath(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length <= 1) return [];
  const split = largestPowerBelow(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split
    ? [...plainPath(left, index), plainRoot(right)]
    : [...plainPath(right, index - split), plainRoot(left)];
}

function largestPowerBelow(size: number): number {
  return 2 ** Math.floor(Math.log2(size - 1));
}

function leavesOf(size: number): Buffer[] {
  return Array.from({ length: size }, (_, index) => leafHash(`leaf ${index}`));
}

describe('evidence/tree', () => {
  it('hashes leaves and nodes with their prefixes, texts as UTF-8', () => {
    expect(leafHash('é\0')).to.deep.equal(sha256(Buffer.of(0), Buffer.from('é\0')));
    expect(leafHash(Buffer.from('é\0'))).to.deep.equal(leafHash('é\0'));
    const [left, right] = [leafHash('l'), leafHash('r')];
    expect(nodeHash(left, right)).to.deep.equal(sha256(Buffer.of(1), left, right));
    expect(EMPTY_ROOT).to.deep.equal(sha256());
  });

  it('gives the roots of the reference leaves', () => {
    const range = new CompactRange();
    expect(range.root()).to.deep.equal(EMPTY_ROOT);
    for (const [index, leaf] of reference.entries()) {
      range.append(leaf);
      expect(range.root().toString('hex')).to.equal(ROOTS[index]);
      expect(rootOf(Buffer.concat(reference.slice(0, index + 1))).toString('hex')).to.equal(ROOTS[index]);
    }
  });

  it('gives and accepts the reference proofs of inclusion', () => {
    for (const [index, size, hexes] of PATHS) {
      const path = hexes.map((hex) => Buffer.from(hex, 'hex'));
      expect(inclusionPath(Buffer.concat(reference.slice(0, size)), index)).to.deep.equal(path);
      const root = rootFromInclusion({ leaf: reference[index]!, index, size }, path);
      expect(root?.toString('hex')).to.equal(ROOTS[size - 1]);
    }
  });

  it('follows the plain definition at every size up to 300: root, peaks, every path', () => {
    const leaves = leavesOf(300);
    const range = new CompactRange();
    for (let size = 0; size <= leaves.length; size += 1) {
      const some = leaves.slice(0, size);
      const root = plainRoot(some);
      expect(range.root()).to.deep.equal(root);
      expect(rootOf(Buffer.concat(some))).to.deep.equal(root);
      expect(range.size).to.equal(size);
      expect(range.peaks).to.have.length(peakCount(size));
      expect(new CompactRange(size, range.peaks).root()).to.deep.equal(root);
      for (const index of [0, size >> 1, (size * 2) % 7, size - 1].filter((place) => place >= 0 && place < size)) {
        const path = plainPath(some, index);
        expect(inclusionPath(Buffer.concat(some), index)).to.deep.equal(path);
        expect(rootFromInclusion({ leaf: some[index]!, index, size }, path)).to.deep.equal(root);
      }
      if (size === leaves.length) break;
      const newest = pathOfNewest(range);
      range.append(leaves[size]!);
      expect(newest).to.deep.equal(plainPath(leaves.slice(0, size + 1), size));
    }
  });

  it('grows the same from any size on, and a copy grows alone', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(100), (before, more) => {
        const leaves = leavesOf(before + more);
        const whole = new CompactRange();
        for (const leaf of leaves.slice(0, before)) whole.append(leaf);
        const again = new CompactRange(before, whole.copy().peaks);
        for (const leaf of leaves.slice(before)) again.append(leaf);
        expect(again.root()).to.deep.equal(plainRoot(leaves));
        expect(whole.root()).to.deep.equal(plainRoot(leaves.slice(0, before)));
      }),
      { numRuns: 60 },
    );
  });

  it('refuses a proof that is changed in any way', () => {
    const place = fc
      .integer({ min: 1, max: 120 })
      .chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1), fc.nat()));
    fc.assert(
      fc.property(place, ([size, index, seed]) => {
        const leaves = Buffer.concat(leavesOf(size));
        const path = inclusionPath(leaves, index);
        const leaf = hashAt(leaves, index);
        const root = rootOf(leaves);
        const isProven = (change: object, steps: readonly Buffer[] = path): boolean =>
          rootFromInclusion({ leaf, index, size, ...change }, steps)?.equals(root) === true;
        expect(isProven({})).to.equal(true);
        expect(isProven({ leaf: flipped(leaf, seed) })).to.equal(false);
        expect(isProven({}, [...path, root])).to.equal(false);
        if (size > 1) expect(isProven({ index: (index + 1) % size })).to.equal(false);
        if (path.length === 0) return;
        const at = seed % path.length;
        expect(isProven({}, path.with(at, flipped(path[at]!, seed)))).to.equal(false);
        expect(isProven({}, path.slice(1))).to.equal(false);
        expect(isProven({}, path.slice(0, -1))).to.equal(false);
      }),
      { numRuns: 300 },
    );
  });

  it('gives no root for a place outside the tree or a step that is no hash', () => {
    const [leaf, step] = [leafHash('a'), leafHash('b')];
    for (const [index, size] of [
      [-1, 2],
      [2, 2],
      [0, 0],
      [Number.NaN, 2],
      [0, Number.NaN],
    ] as const)
      expect(rootFromInclusion({ leaf, index, size }, [step])).to.equal(undefined);
    expect(rootFromInclusion({ leaf, index: 0, size: 2 }, [step.subarray(1)])).to.equal(undefined);
    expect(rootFromInclusion({ leaf, index: 0, size: 2 }, [step])).to.deep.equal(nodeHash(leaf, step));
  });

  it('gives no root for a path that is too short or too long', () => {
    const [leaf, step] = [leafHash('a'), leafHash('b')];
    expect(rootFromInclusion({ leaf, index: 0, size: 2 }, [])).to.equal(undefined);
    expect(rootFromInclusion({ leaf, index: 0, size: 2 }, [step, step])).to.equal(undefined);
    expect(rootFromInclusion({ leaf, index: 0, size: 1 }, [step])).to.equal(undefined);
    expect(rootFromInclusion({ leaf, index: 4, size: 5 }, [step, step])).to.equal(undefined);
  });

  it('proves places beyond 2^32, where bit operators would lie', () => {
    const size = 2 ** 40 + 1;
    const path = [leafHash('the first 2^40')];
    const leaf = leafHash('the last');
    expect(rootFromInclusion({ leaf, index: size - 1, size }, path)).to.deep.equal(nodeHash(path[0]!, leaf));
    expect(peakCount(2 ** 53 - 1)).to.equal(53);
    const range = new CompactRange(2 ** 40, path);
    range.append(leaf);
    expect(range.root()).to.deep.equal(nodeHash(path[0]!, leaf));
  });

  it('refuses peaks whose number does not fit the size', () => {
    expect(() => new CompactRange(3, [leafHash('a')])).to.throw(RangeError);
    expect(() => new CompactRange(0, [leafHash('a')])).to.throw(RangeError);
  });

  it('splits hashes that lie one behind the other, and nothing of another length', () => {
    const hashes = leavesOf(3);
    expect(splitHashes(Buffer.concat(hashes))).to.deep.equal(hashes);
    expect(splitHashes(Buffer.alloc(0))).to.deep.equal([]);
    expect(splitHashes(Buffer.alloc(33))).to.equal(undefined);
  });

  it('leaves what it is given as it was', () => {
    const leaves = Buffer.concat(leavesOf(7));
    const before = Buffer.from(leaves);
    rootOf(leaves).fill(0);
    expect(leaves.equals(before)).to.equal(true);
  });
});

function flipped(hash: Buffer, seed: number): Buffer {
  const copy = Buffer.from(hash);
  const at = seed % copy.length;
  copy[at] = copy[at]! ^ (1 << (seed % 8));
  return copy;
}
