/** Links between the pages of this repository: every one leads somewhere. Addresses on the web are not asked for. */
import { existsSync } from 'node:fs';
import { expect } from 'chai';
import { anchorOf, readPage } from './markdown.js';

describe('links of the documentation', () => {
  for (const file of ['README.md', 'SECURITY.md']) {
    it(`lead somewhere: ${file}`, () => {
      const links = readPage(file).links.filter((target) => !/^https?:/.test(target));
      expect(links).to.not.be.empty;
      expect(links.filter((target) => !leadsSomewhere(file, target))).to.deep.equal([]);
    });
  }
});

function leadsSomewhere(from: string, target: string): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? from : path;
  if (!existsSync(file)) return false;
  return anchor === undefined || readPage(file).headings.map(anchorOf).includes(anchor);
}
