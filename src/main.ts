export async function runAction(name: string) { console.log(name) }
export async function runTerminal() { console.log('cli') }
