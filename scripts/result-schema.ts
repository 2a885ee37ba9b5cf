// The JSON schema of what `--json` prints and what the output `result` of the actions holds, from the types in src/commands.
import path from 'node:path'
import { API, type Checker, ElementFlags, type Project, type Symbol, SymbolFlags, type Type, TypeFlags, SignatureKind } from 'typescript/unstable/sync'
import { JSON_SCHEMA } from '../src/commands/command.ts'
import { definitionName } from './schema-names.ts'

export type Schema = { [member: string]: unknown }

const ROOT = path.join(import.meta.dirname, '..')

/** Draft 2020-12. `$defs` has each command by its name, `error`, and the types that they consist of. */
export function resultSchema(): Schema {
  const api = new API({ cwd: ROOT })
  try {
    const config = path.join(ROOT, 'tsconfig.json')
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)
    if (!project) throw new Error(`${config} could not be read`)
    return new Schemas(project).all()
  } finally {
    api.close()
  }
}

class Schemas {
  readonly #project: Project
  readonly #checker: Checker
  readonly #types = new Map<string, { type: Type; schema: Schema }>()

  constructor(project: Project) {
    this.#project = project
    this.#checker = project.checker
  }

  all(): Schema {
    const results = this.#checker.getPropertiesOfType(this.#declared('src/commands/all.ts', 'Results'))
    const commands = results.map((command): [string, Schema] => [definitionName(command.name), this.#printed(this.#typeOf(command), command.name)])
    const error = objectSchema({ schema: VERSION, error: this.#schemaOf(this.#declared('src/report/failure.ts', 'Failure'), 'error') })
    const types = [...this.#types].map(([name, { schema }]): [string, Schema] => [name, schema]).toSorted(([a], [b]) => (a < b ? -1 : 1))
    return {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'Results and errors of Lifeboat as JSON',
      description: 'One object of each run. Sizes are bytes, durations seconds, times ISO 8601 in UTC. More members may come.',
      anyOf: [...commands.map(([name]) => reference(name)), reference('error')],
      $defs: { ...Object.fromEntries(commands), error, ...Object.fromEntries(types) },
    }
  }

  #declared(file: string, name: string): Type {
    const source = this.#project.program.getSourceFile(path.join(ROOT, file))
    const symbol = source && this.#checker.getSymbolAtLocation(source)
    const found = symbol && this.#checker.getExportsOfModule(symbol).find((one) => one.name === name)
    if (!found) throw new Error(`${file} exports no ${name}`)
    return this.#checker.getDeclaredTypeOfSymbol(found)
  }

  #typeOf(symbol: Symbol): Type {
    const type = this.#checker.getTypeOfSymbol(symbol)
    if (!type) throw new Error(`${symbol.name} has no type`)
    return type
  }

  /** A result with the version beside its members. */
  #printed(type: Type, where: string): Schema {
    if (type.isUnionType()) return { anyOf: type.getTypes().map((one) => this.#printed(one, where)) }
    return this.#objectOf(type, where, { schema: VERSION })
  }

  #schemaOf(type: Type, where: string): Schema {
    if (type.flags & (TypeFlags.Any | TypeFlags.Unknown)) return {}
    if (type.flags & TypeFlags.Boolean) return { type: 'boolean' }
    if (type.flags & (TypeFlags.String | TypeFlags.TemplateLiteral)) return { type: 'string' }
    if (type.flags & TypeFlags.Number) return { type: 'number' }
    if (type.flags & TypeFlags.Null) return { type: 'null' }
    if (type.isLiteralType()) return { const: type.value }
    const name = this.#nameOf(type)
    if (name === undefined) return this.#composed(type, where)
    const known = this.#types.get(name)
    if (known && known.type.id !== type.id) throw new Error(`${where}: there are two types ${name}`)
    if (!known) {
      const entry = { type, schema: {} }
      this.#types.set(name, entry)
      Object.assign(entry.schema, described(this.#commentOf(type), this.#composed(type, name)))
    }
    return reference(name)
  }

  #composed(type: Type, where: string): Schema {
    if (type.isUnionType()) return this.#unionOf(type.getTypes(), where)
    if (this.#checker.isTupleType(type)) return this.#tupleOf(type, where)
    if (this.#checker.isArrayType(type)) return { type: 'array', items: this.#schemaOf(this.#argumentsOf(type)[0]!, `${where}[]`) }
    if (type.isObjectType() || type.isIntersectionType()) return this.#objectOf(type, where)
    throw new Error(`${where}: ${this.#checker.typeToString(type)} is nothing that JSON has`)
  }

  #unionOf(all: readonly Type[], where: string): Schema {
    const types = all.filter((type) => !isUndefined(type))
    const isBoolean = types.filter((type) => type.isBooleanLiteralType()).length === 2
    const rest = isBoolean ? types.filter((type) => !type.isBooleanLiteralType()) : types
    const schemas = [...rest.map((type) => this.#schemaOf(type, where)), ...(isBoolean ? [{ type: 'boolean' }] : [])]
    if (schemas.length === 1) return schemas[0]!
    if (schemas.every((schema) => 'const' in schema)) return { enum: schemas.map((schema) => schema['const']) }
    return { anyOf: schemas }
  }

  #tupleOf(type: Type, where: string): Schema {
    const target = type.isTypeReference() ? type.getTarget() : type
    const flags = target.isTupleType() ? target.elementFlags : []
    const items = this.#argumentsOf(type).map((item) => this.#schemaOf(item, `${where}[]`))
    const rest = flags.findIndex((flag) => (flag & ElementFlags.Rest) !== 0)
    if (rest === -1) return { type: 'array', prefixItems: items, items: false, minItems: items.length }
    return { type: 'array', prefixItems: items.slice(0, rest), items: items[rest], minItems: rest }
  }

  #objectOf(type: Type, where: string, first: Record<string, Schema> = {}): Schema {
    if (this.#checker.getSignaturesOfType(type, SignatureKind.Call).length > 0) throw new Error(`${where} is a function`)
    const properties = this.#checker.getPropertiesOfType(type)
    const index = this.#checker.getIndexInfosOfType(type)[0]
    const members = properties.map((property): [string, Schema] => [
      property.name,
      described(property.getDocumentationComment(this.#checker), this.#schemaOf(this.#typeOf(property), `${where}.${property.name}`)),
    ])
    const required = properties.filter((property) => !this.#mayBeAbsent(property)).map(({ name }) => name)
    return {
      ...objectSchema({ ...first, ...Object.fromEntries(members) }, [...Object.keys(first), ...required]),
      ...(index && { additionalProperties: this.#schemaOf(index.valueType, `${where}.*`) }),
    }
  }

  /** Undefined is not printed. */
  #mayBeAbsent(property: Symbol): boolean {
    if (property.flags & SymbolFlags.Optional) return true
    const type = this.#typeOf(property)
    return type.isUnionType() && type.getTypes().some(isUndefined)
  }

  #argumentsOf(type: Type): readonly Type[] {
    return type.isTypeReference() ? this.#checker.getTypeArguments(type) : []
  }

  /** Of an alias or an interface without arguments. */
  #nameOf(type: Type): string | undefined {
    const alias = type.getAliasSymbol()
    if (alias) return type.getAliasTypeArguments().length > 0 ? undefined : alias.name
    return type.isClassOrInterface() && type.getTypeParameters().length === 0 ? type.getSymbol()?.name : undefined
  }

  #commentOf(type: Type): string {
    return (type.getAliasSymbol() ?? type.getSymbol())?.getDocumentationComment(this.#checker) ?? ''
  }
}

const VERSION: Schema = { description: 'The version of this form.', const: JSON_SCHEMA }

function objectSchema(properties: Record<string, Schema>, required = Object.keys(properties)): Schema {
  return { type: 'object', properties, ...(required.length > 0 && { required }) }
}

function isUndefined({ flags }: Type): boolean {
  return (flags & TypeFlags.Undefined) !== 0
}

function reference(name: string): Schema {
  return { $ref: `#/$defs/${name}` }
}

function described(comment: string, schema: Schema): Schema {
  return comment === '' ? schema : { description: comment.replace(/\s+/g, ' '), ...schema }
}
