import{createRequire}from'node:module';const require=createRequire(import.meta.url),__dirname=import.meta.dirname;
import{ROLE,UPLOAD_THREAD,cleaned}from"./part-FIDBLBBL.js";import"./part-OWQ67INV.js";import"./part-2ZZLRT7P.js";export{ROLE,UPLOAD_THREAD,cleaned};
