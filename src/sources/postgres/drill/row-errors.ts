/**
 * Messages about rows that are not as they must be, up to a value in them: SQLSTATE classes 22 and 23, and 42601 of input functions.
 * pg_restore does not tell the SQLSTATE.
 */
export const ABOUT_ROWS = [
  // 22, of input functions, and of expressions in indexes and constraints.
  /^invalid input syntax for type [\w ]+/, /^invalid input value for enum [\w.]+/, /^value too long for type [\w ()]+/,
  /^(?:value )?"[^]*" is out of range for type [\w ]+/, /^[\w/ ]+ out of range/, /^malformed [\w ]+ literal/,
  /^value out of range: (?:over|under)flow/, /^value overflows numeric format/, /^numeric field overflow/, /^division by zero/,
  /^time zone(?= "[^]*" not recognized)/, /^bit string (?:length|too long)/, /^"[^]*" is not a valid (?:binary|hexadecimal) digit/,
  /^invalid (?:cidr value|octet value in "macaddr" value|line specification|check digit for \w+ number|input syntax for \w+)/,
  /^invalid (?:hexadecimal|XML|regular expression|Unicode|name syntax|end sequence|symbol|field size|mode character)/,
  /^range lower bound must be less than or equal to range upper bound/, /^upper bound cannot be less than lower bound/,
  /^multirange values cannot contain null members/, /^unsupported Unicode escape sequence/, /^unrecognized key word/,
  /^cannot take (?:logarithm of|square root of) [\w ]+/, /^cannot call \w+ on [\w -]+/, /^cannot cast jsonb [\w ]+ to type [\w ]+/,
  /^cannot extract elements from [\w ]+/, /^cannot get array length of [\w -]+/, /^negative substring length not allowed/,
  /^invalid byte sequence for encoding "\w+"/,
  /^character with byte sequence [\w ]+ in encoding "\w+" has no equivalent in encoding "\w+"/,
  // 22P04, of COPY.
  /^(?:missing data for column|extra data after last expected column)/, /^unquoted [\w ]+ found in data/,
  /^(?:literal [\w ]+ found in data|end-of-copy marker)/,
  // 23
  /^new row for relation "[^"]+" violates check constraint "[^"]+"/,
  /^check constraint "[^"]+" of relation "[^"]+" is violated by some row/,
  /^null value in column "[^"]+" of relation "[^"]+" violates not-null constraint/,
  /^column "[^"]+" of (?:relation|table) "[^"]+" contains (?:null values|values that violate the new constraint)/,
  /^value for domain [\w."]+ violates check constraint "[^"]+"/, /^domain [\w."]+ does not allow null values/,
  /^duplicate key value violates unique constraint "[^"]+"/, /^could not create unique index "[^"]+"/,
  /^conflicting key value violates exclusion constraint "[^"]+"/, /^could not create exclusion constraint "[^"]+"/,
  /^insert or update on table "[^"]+" violates foreign key constraint "[^"]+"/,
  /^no partition of relation "[^"]+" found for row/, /^new row for relation "[^"]+" violates partition constraint/,
  /^(?:updated )?partition constraint (?:of relation|for default partition) "[^"]+" (?:is|would be) violated by some row/,
  // 42601
  /^(?:syntax error|no operand|wrong position information) in ts(?:vector|query)/,
  /^(?:syntax error|trailing junk[\w ]+)(?= at [^]* of jsonpath input)/, /^(?:ltree|lquery|ltxtquery) syntax error/,
  /^syntax error in hstore/, /^(?:invalid array literal|invalid number of points in external)/, /^multidimensional arrays must have/,
]
