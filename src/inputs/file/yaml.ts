/** The parser, a part of the program that is loaded only for a file. A bundle finds the names of a CommonJS package only in such a list. */
export { isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
