// The recipes of examples/ before the judges that their users' systems have: schemas, linters, systemd, Nix.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { must, run } from '../support/process.js'
import {
  actionlint,
  describeJudged,
  judge,
  judges,
  readRecipe,
  recipe,
  recipesUnavailable,
} from '../support/recipes.js'
import { runFolder } from '../support/run-folder.js'

if (recipesUnavailable !== undefined) console.log(`recipes are skipped: this host ${recipesUnavailable}`)
else if (!existsSync(actionlint))
  console.log('there is no actionlint: GitHub workflows are judged by their schema alone')

describeJudged('recipes', () => {
  it.each([
    ['vendor.gitlab-ci', ['gitlab/.gitlab-ci.yml']],
    ['vendor.github-workflows', ['github/deploy.yml', 'github/tunnel.yml']],
    ['custom.github-workflows-require-timeout', ['github/deploy.yml', 'github/tunnel.yml']],
    ['vendor.github-actions', ['github/action/action.yml']],
    ['vendor.circle-ci', ['circleci/config.yml']],
    ['vendor.compose-spec', ['docker/compose.yaml']],
  ])('pass the schema %s', async (schema, files) => {
    const result = await judge('check-jsonschema', ['--builtin-schema', schema, ...files.map(file => recipe(file))])
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('ok') })
  })

  it.skipIf(!existsSync(actionlint))('for GitHub pass actionlint, in a repository as the recipe says', async () => {
    const repository = mkdtempSync(join(runFolder(), 'repository-'))
    await must('git', ['init', '-q', repository])
    const workflows = join(repository, '.github/workflows')
    mkdirSync(workflows, { recursive: true })
    for (const name of ['deploy.yml', 'tunnel.yml']) cpSync(recipe('github', name), join(workflows, name))
    cpSync(recipe('github/action'), join(repository, '.github/actions/tunnel'), { recursive: true })
    const args = ['-no-color', '-shellcheck', join(judges, 'shellcheck')]
    expect(await run(actionlint, args, { cwd: repository })).toMatchObject({ code: 0, stdout: '' })
    // It does look at the action: an input that is not there is told.
    const workflow = join(workflows, 'tunnel.yml')
    writeFileSync(workflow, readFileSync(workflow, 'utf8').replace('forwards:', 'forward:'))
    expect((await run(actionlint, args, { cwd: repository })).stdout).toContain('input "forward" is not defined')
  })

  it('for Kubernetes pass its schemas, unknown fields refused', async () => {
    const files = readdirSync(recipe('kubernetes')).map(name => recipe('kubernetes', name))
    expect(files.length).toBeGreaterThanOrEqual(4)
    expect(await judge('kubernetes-validate', ['-k', '1.29', '--strict', ...files])).toMatchObject({ code: 0 })
  })

  it('in sh pass shellcheck', async () => {
    const files = readdirSync(recipe('scripts')).map(name => recipe('scripts', name))
    expect(await judge('shellcheck', ['--shell=sh', ...files])).toMatchObject({ code: 0, stdout: '' })
  })

  it('for Jenkins can be parsed', async () => {
    const parse = `
import sys, tree_sitter, tree_sitter_groovy
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_groovy.language()))
print(parser.parse(sys.stdin.buffer.read()).root_node.has_error)`
    const hasError = (input: string) => must(join(judges, 'python'), ['-c', parse], { input })
    const text = readRecipe('jenkins/Jenkinsfile')
    expect(await hasError(text)).toBe('False\n')
    expect(await hasError(text.slice(0, -2))).toBe('True\n')
  })

  it('for systemd pass systemd-analyze, and leave little exposed', async () => {
    for (const name of readdirSync(recipe('systemd'))) await judgeUnit(name, readRecipe('systemd', name))
  })

  it('for NixOS make a unit that passes the same', async () => {
    // What the module system and nixpkgs would give it.
    const expression = `
      let
        lib = {
          mkOption = value: value; types = { attrsOf = t: t; listOf = t: t; submodule = m: m; package = 0; str = 0; };
          escapeShellArgs = toString;
          mapAttrs' = f: set: builtins.listToAttrs (map (name: f name set.\${name}) (builtins.attrNames set));
        };
        config.services.tunless.deploy = { package = "/opt/tunless"; configFile = "/run/secrets/deploy.conf"; options = [ "-D" "1080" ]; };
      in (import ${recipe('nixos/tunless.nix')} { inherit lib config; pkgs.systemd = "systemd"; }).config.systemd.services`
    const args = ['--store', 'dummy://', '--eval', '--strict', '--json', '-E', expression]
    const services = JSON.parse(await must('nix-instantiate', args))
    const { serviceConfig, wantedBy } = services['tunless-deploy']
    expect(wantedBy).toEqual(['multi-user.target'])
    const settings = Object.entries(serviceConfig as Record<string, unknown>).map(([key, value]) => `${key}=${value}`)
    const unit = ['[Service]', ...settings, ''].join('\n')
    expect(unit).toMatch(/^ExecStart=\S+ up --config \$\{CREDENTIALS_DIRECTORY\}\/conf --timeout 60 -D 1080$/m)
    await judgeUnit('tunless-deploy.service', unit.replace('/opt/tunless/bin/tunless', process.execPath))
  })
})

/** Fails unless systemd knows every line of a unit, its program is there, and its exposure is at most 2.0 of 10. */
async function judgeUnit(name: string, text: string): Promise<void> {
  const file = join(mkdtempSync(join(runFolder(), 'unit-')), name)
  writeFileSync(file, text.replace('ExecStart=/usr/bin/node', `ExecStart=${process.execPath}`))
  expect(await run('systemd-analyze', ['verify', file])).toMatchObject({ code: 0, stderr: '' })
  const exposure = await run('systemd-analyze', ['security', '--offline=true', '--threshold=20', '--no-pager', file])
  expect(exposure.code, exposure.stdout.slice(-2000)).toBe(0)
}
