import{createRequire}from'node:module';const require=createRequire(import.meta.url),__dirname=import.meta.dirname;
import{WebdavStore}from"./part-SQFGPVED.js";import"./part-2DN3J7VB.js";import"./part-EJSVC4MM.js";import"./part-I5WWQM62.js";import"./part-SARXHCDF.js";import"./part-2IBUHU35.js";import"./part-O64NKRX7.js";import"./part-2ZZLRT7P.js";export{WebdavStore};
