/** The version of the package, for `--version`: a constant, since neither build may look for package.json. A test compares the two. */

/** As in package.json. */
export const VERSION = '0.1.0';
