import { marked } from '../../marks.ts'
import { dependedOnLines, dependedOnPart, lostLines } from '../artifacts.ts'
