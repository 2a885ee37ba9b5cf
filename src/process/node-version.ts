/** Imported first of all, so that an old Node is told plainly and not by the first function it lacks. */

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 6)) {
  console.error(`error: Lifeboat needs Node 24.6 or newer; this is Node ${process.versions.node}`)
  console.error(
    'hint: Install Node 24.6 or newer from https://nodejs.org. Or, in the folder of the clone: `npm exec --package=node@24 -- node ' +
      'dist/cli.js …`.',
  )
  process.exit(2)
}
