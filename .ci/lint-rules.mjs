/** Lint rules of this repository that oxlint does not have. They know syntax only, no types. */
import { readFileSync } from 'node:fs';

const ENTRY = new URL('../src/index.ts', import.meta.url);

const maxFunctionLines = {
  meta: { schema: [{ type: 'object', properties: { max: { type: 'integer' } } }] },
  create(context) {
    const { max } = context.options[0];
    function check(node) {
      if (isTestSuite(node)) return;
      const text = context.sourceCode.lines.slice(node.loc.start.line - 1, node.loc.end.line);
      const lines = text.filter((line) => line.trim() !== '').length;
      if (lines <= max) return;
      context.report({
        node,
        message: `${lines} lines; ${max} are allowed. Something in this function has no home yet.`,
      });
    }
    return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check };
  },
};

/** The callback of mocha's `describe`: a list of tests, not one act. */
function isTestSuite(node) {
  const call = node.parent;
  if (call?.type !== 'CallExpression') return false;
  const callee = call.callee.type === 'MemberExpression' ? call.callee.object : call.callee;
  return callee.type === 'Identifier' && (callee.name === 'describe' || callee.name === 'context');
}

const firstSentence = {
  create(context) {
    return {
      Program(node) {
        const first = context.sourceCode.lines.find((line) => !line.startsWith('#!')) ?? '';
        if (/^\/\*\* \S+( \S+){3,}/.test(first)) return;
        context.report({
          node,
          message: 'The first line is one sentence: what this file holds and what it must not know.',
        });
      },
    };
  },
};

/** Whether users of the package can name it: the entry lists it. */
function isPublic(name) {
  publicNames ??= new Set(readFileSync(ENTRY, 'utf8').match(/[A-Za-z]+/g));
  return publicNames.has(name);
}
let publicNames;

const documentedExports = {
  create(context) {
    const { lines } = context.sourceCode;
    function assertDocumented(node, what) {
      if ((lines[node.loc.start.line - 2] ?? '').trim().endsWith('*/')) return;
      if (lines[node.loc.start.line - 1].trim().startsWith('/**')) return;
      context.report({ node, message: `TSDoc is missing on this ${what}: meaning, units, limits, default, @throws.` });
    }
    return {
      ExportNamedDeclaration(node) {
        if (!node.declaration) return;
        assertDocumented(node, 'exported declaration');
        if (node.declaration.type !== 'TSInterfaceDeclaration' || !isPublic(node.declaration.id.name)) return;
        for (const member of node.declaration.body.body) assertDocumented(member, 'member');
      },
    };
  },
};

export default {
  meta: { name: 'strongroom' },
  rules: {
    'documented-exports': documentedExports,
    'first-sentence': firstSentence,
    'max-function-lines': maxFunctionLines,
  },
};
