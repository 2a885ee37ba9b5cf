import{createRequire}from'node:module';const require=createRequire(import.meta.url),__dirname=import.meta.dirname;
function beginningOf(text,most){if(text.length<=most)return text;let line=text.lastIndexOf(`
`,most);return line>0?text.slice(0,line):text.slice(0,most+1).replace(/\s*\S*$/,"")}function endOf(text,most){if(text.length<=most)return text;let end=text.slice(-most-1),line=end.indexOf(`
`);return line>=0&&line<end.length-1?end.slice(line+1):end.replace(/^\S*\s*/,"")}export{beginningOf,endOf};
