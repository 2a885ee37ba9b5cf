import { requireSupportedRunner } from '../../src/process/platform.ts'

test.each([['linux', 'x64'], ['linux', 'arm64']])('a runner with %s on %s is supported', (platform, processor) => {
  expect(() => requireSupportedRunner(platform, processor)).not.toThrow()
})

test.each([
  ['darwin', 'arm64', 'macOS on arm64'],
  ['win32', 'x64', 'Windows on x64'],
  ['linux', 'arm', 'Linux on arm'],
  ['freebsd', 'x64', 'freebsd on x64'],
])('a runner with %s on %s is refused, with what runs instead', (platform, processor, named) => {
  expect(() => requireSupportedRunner(platform, processor)).toThrow(expect.objectContaining({ status: 2, message: expect.stringContaining(named), hint: expect.stringContaining('runs-on: ubuntu-24.04') }))
})
