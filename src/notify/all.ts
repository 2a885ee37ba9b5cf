import { discord } from './discord.ts'
import { email } from './email.ts'
import { issue } from './issue.ts'
import type { NotificationKind } from './kind.ts'
import { ntfy } from './ntfy.ts'
import { ping } from './ping.ts'
import { slack } from './slack.ts'
import { teams } from './teams.ts'
import { webhook } from './webhook.ts'

/** The services that messages are sent to, in the order in which people are shown them. */
export const notificationKinds: readonly NotificationKind[] = [webhook, slack, discord, teams, ntfy, ping, email, issue]
