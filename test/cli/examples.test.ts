import { expect, test } from 'vitest';
import { allCommands } from '../../src/cli/command-tree.js';
import { EXAMPLES } from '../../src/cli/examples.js';
import { describeProgram } from '../../src/cli/program.js';
import { tallyd } from './terminal.js';

const commands = allCommands(describeProgram());
const leaves = commands.filter((command) => command.commands.length === 0);

test.each(leaves.map((command) => [command.path, command] as const))(
  'the help of %s has examples',
  async (path, command) => {
    expect(command.examples.length).toBeGreaterThan(0);
    const { stdout } = await tallyd([...path.split(' ').slice(1), '--help']);
    for (const example of command.examples)
      expect(stdout).toContain(`  # ${example.text}\n  ${example.command}\n`);
  },
);

test('every example is of a command that there is, and of options that it has', () => {
  for (const [path, examples] of EXAMPLES) {
    const command = commands.find((one) => one.path === path);
    expect(command?.path).toBe(path);
    for (const { command: line } of examples) {
      const own = line.slice(line.indexOf(path)).split(/ [|>&]/)[0]!;
      const options = own.match(/(?<= )--[a-z-]+/g) ?? [];
      expect(command!.options.map(({ long }) => long)).toEqual(expect.arrayContaining(options));
    }
  }
});

test('the completion of a shell that is not known is wrong usage', async () => {
  const { exitCode, stderr } = await tallyd(['completion', 'tcsh']);
  expect(exitCode).toBe(64);
  expect(stderr).toMatch(/^ERR_USAGE: .*tcsh.* bash, zsh, fish/);
});

test('completion looks at no configuration, so a mistake in it does not meet a shell that starts', async () => {
  const { exitCode, stderr } = await tallyd(['completion', 'bash'], {
    env: { TALLYD_CONFIG: '/nowhere/x.toml' },
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});
