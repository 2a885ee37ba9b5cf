import{createRequire}from'node:module';const require=createRequire(import.meta.url),__dirname=import.meta.dirname;
import{WebdavStore}from"./part-2ROWFD76.js";import"./part-WZC7PIXL.js";import"./part-FQ4CVQLV.js";import"./part-HRX34NEV.js";import"./part-DI5FMD76.js";import"./part-XCOAWDCO.js";import"./part-OWQ67INV.js";import"./part-O64NKRX7.js";import"./part-2ZZLRT7P.js";export{WebdavStore};
