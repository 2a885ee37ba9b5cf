/** The style sheet: one accent, four colours of state that never stand alone, light and dark, narrow and wide, screen and paper. */
export const STYLE = `
:root{--paper:#fbfaf8;--card:#fff;--ink:#18222d;--quiet:#5a6673;--rule:#e3e0da;--edge:#18222d2e;--soft:#f2f0ec;
--accent:#0b6384;--tint:#cfe3eb;--good:#14713f;--unknown:#5f6b78;--attention:#8f5600;--bad:#b3261e;--on:#fff;
--sans:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Inter,Roboto,"Helvetica Neue","Noto Sans","Liberation Sans",Arial,sans-serif;
--mono:ui-monospace,SFMono-Regular,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--paper:#0f151b;--card:#161e26;--ink:#e8edf2;--quiet:#9aa8b5;--rule:#2a3540;--edge:#e8edf238;
--soft:#1d2730;--accent:#6cc0df;--tint:#1e4253;--good:#57c98a;--unknown:#a3b0bd;--attention:#eab04c;--bad:#ff8a7d;--on:#10171d}
}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0 auto;padding:0 24px 48px;max-width:1080px;background:var(--paper);color:var(--ink);font:16px/1.5 var(--sans);
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1,h2,h3,p,dl,dd,ul,figure,pre{margin:0}
h1{font-size:clamp(28px,5.2vw,44px);line-height:1.1;letter-spacing:-.022em;font-weight:680;text-wrap:balance}
h2{font-size:22px;line-height:1.25;letter-spacing:-.012em;font-weight:650;margin:0 0 4px}
h3{font-size:15px;line-height:1.4;font-weight:650;margin:0 0 2px}
a{color:var(--accent);text-underline-offset:.18em;text-decoration-thickness:1px}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
code,pre{font:13px/1.55 var(--mono);font-variant-ligatures:none}
td code{font-size:12px;white-space:nowrap}
ul{list-style:none;padding:0}
.aside{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip{position:absolute;left:-9999px}
.skip:focus{left:24px;top:8px;background:var(--card);padding:8px 12px}
.signs{position:absolute}
.quiet,.hint,.small{color:var(--quiet)}
.hint,.small{font-size:14px}
header{display:flex;flex-wrap:wrap;gap:4px 24px;justify-content:space-between;align-items:center;padding:22px 0 18px;font-size:14px;
color:var(--quiet)}
header p{display:flex;flex-wrap:wrap;gap:0 16px}
.brand{display:flex;align-items:center;gap:8px;color:var(--ink);font-weight:650;font-size:16px;letter-spacing:-.01em}
.buoy{width:24px;height:24px;fill:none}
.ring{stroke:var(--accent);stroke-width:5}
.bands{stroke:var(--paper);stroke-width:3.4}
.store{color:var(--ink)}
section{margin-top:44px}
.sign{width:1.05em;height:1.05em;flex:none;vertical-align:-.16em;margin-right:.4em;color:var(--unknown)}
.sign .fill{fill:currentColor}
symbol .fill{fill:currentColor}
symbol .ink{fill:none;stroke:var(--on);stroke-width:2.6;stroke-linecap:round;stroke-linejoin:round}
symbol .ink-dot{fill:var(--on)}
symbol .line{fill:none;stroke:currentColor;stroke-width:2}
symbol .stroke{fill:none;stroke:currentColor;stroke-width:2.2;stroke-linecap:round}
symbol .dot{fill:currentColor}
.sign.good,.badge.good{color:var(--good)}
.sign.attention,.badge.attention{color:var(--attention)}
.sign.bad,.badge.bad{color:var(--bad)}
.badge.unknown{color:var(--unknown)}
.verdict{margin-top:0;background:var(--card);border:1px solid var(--rule);border-radius:16px;padding:32px}
.answer{display:flex;gap:20px;align-items:flex-start}
.answer .sign{width:clamp(34px,5.6vw,50px);height:clamp(34px,5.6vw,50px);margin:0}
.lead{font-size:18px;line-height:1.45;color:var(--quiet);margin-top:8px;max-width:46em;text-wrap:pretty}
.findings{display:grid;gap:10px;margin:24px 0 0}
.findings li{display:flex;align-items:baseline;line-height:1.45}
.findings .sign{position:relative;top:.14em;margin-right:.65em}
.set .findings{margin:14px 0 4px}
.advice{margin-top:10px;padding-left:1.75em}
.figures{display:grid;grid-template-columns:repeat(3,1fr);margin-top:28px;padding-top:24px;border-top:1px solid var(--rule);
gap:24px 0}
.figures>div{padding-right:28px}
.figures>div+div{padding-left:28px;border-left:1px solid var(--rule)}
.figures dt{font-size:14px;color:var(--quiet)}
.figures .value{font-size:25px;line-height:1.25;font-weight:640;letter-spacing:-.015em;margin:3px 0 4px}
.figures .detail{font-size:14px;color:var(--quiet);line-height:1.45;text-wrap:pretty}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--quiet);margin:8px 0 0}
.legend li,.legend>span{display:flex;align-items:center;gap:7px}
.key{width:16px;height:16px}
.swatch{width:16px;height:3px;border-radius:2px;background:var(--ink)}
.swatch.area{height:10px;background:var(--tint);border-top:2px solid var(--accent)}
.swatch.dl{height:10px;background:var(--quiet)}
.swatch.rs{height:10px;background:var(--accent)}
.swatch.bar{width:7px;height:12px;background:var(--accent)}
svg svg{overflow:visible}
.timeline{margin-top:14px;border-top:1px solid var(--rule)}
.row{display:grid;grid-template-columns:minmax(120px,200px) 1fr;align-items:center;gap:16px;border-bottom:1px solid var(--rule)}
.row.axis{border:0}
.label{font-size:14px;color:var(--ink);text-decoration:none;padding:8px 0;line-height:1.3;max-height:4.6em;overflow:hidden}
.label:hover{text-decoration:underline}
.strip{display:block;width:100%;height:38px;min-height:38px;overflow:visible}
.ticks{display:block;width:100%;height:24px;overflow:visible}
svg text{font:12px var(--sans);fill:var(--quiet);font-variant-numeric:tabular-nums}
.tick line,.grid{stroke:var(--rule)}
.grid{stroke-dasharray:2 4}
.base{stroke:var(--quiet);stroke-opacity:.5}
.rule{stroke:var(--rule)}
.m-good{fill:var(--good)}
.m-ring{fill:none;stroke:var(--good);stroke-width:1.6}
.m-open{fill:var(--paper);stroke:var(--unknown);stroke-width:1.8}
.m-attention{fill:var(--attention)}
.m-bad{fill:none;stroke:var(--bad);stroke-width:3;stroke-linecap:round}
.going{opacity:.34}
.scroll{position:relative;overflow-x:auto;margin-top:8px;overflow-wrap:break-word;background:
linear-gradient(90deg,var(--paper) 40%,transparent) 0/36px 100% local,
linear-gradient(270deg,var(--paper) 40%,transparent) 100%/36px 100% local,
linear-gradient(90deg,var(--edge),transparent) 0/10px 100%,linear-gradient(270deg,var(--edge),transparent) 100%/10px 100%;
background-repeat:no-repeat}
table{border-collapse:collapse;width:100%;font-size:14px;line-height:1.4}
caption .legend{margin-top:4px}
caption{text-align:left;color:var(--quiet);padding-bottom:8px}
caption.aside{position:absolute}
th,td{text-align:left;padding:9px 20px 9px 0;vertical-align:baseline;border-bottom:1px solid var(--rule)}
th:last-child,td:last-child{padding-right:0}
thead th{font-weight:500;color:var(--quiet);font-size:13px;white-space:nowrap;padding-top:4px}
tbody th{font-weight:600;min-width:9.5em}
tbody tr:last-child>*{border-bottom:0}
.n{text-align:right;white-space:nowrap}
time{white-space:nowrap}
.state{min-width:9.5em}
.why{display:block;color:var(--quiet)}
.set{border-top:2px solid var(--ink);padding-top:18px;margin-top:56px;scroll-margin-top:12px}
.set>h2{display:flex;flex-wrap:wrap;gap:2px 14px;align-items:baseline;font-size:26px}
.badge{font-size:14px;font-weight:560;letter-spacing:0;white-space:nowrap}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:14px 28px;margin:14px 0 30px}
.facts dt{font-size:13px;color:var(--quiet)}
.facts dd{line-height:1.4}
.chart{margin:0 0 34px}
.plot{display:block;width:100%;height:196px;margin-top:12px}
.plot .area{fill:var(--tint)}
.plot .top{fill:none;stroke:var(--accent);stroke-width:2;vector-effect:non-scaling-stroke}
.plot .line{fill:none;stroke:var(--ink);stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.cut{stroke:var(--paper);stroke-width:3}
.bar,.more{fill:var(--accent)}
.less,.download{fill:var(--quiet)}
.delta,.bar-line{display:block;width:100%;min-width:90px;height:16px}
.drawn{width:26%;vertical-align:middle}
.changes tbody th{max-width:22em}
.changes tbody .quiet,.drills tbody .quiet{font-weight:400}
.columns{display:grid;grid-template-columns:minmax(0,2fr) minmax(0,1fr);gap:32px 56px;margin:34px 0 24px}
.rules{display:flex;flex-wrap:wrap;gap:6px;margin:12px 0}
.rules li,.tag{font-size:13px;background:var(--soft);border-radius:6px;padding:2px 9px}
.go{color:var(--attention)}
details{border-top:1px solid var(--rule);padding:12px 0}
summary{cursor:pointer;font-weight:600;font-size:15px;color:var(--accent);width:max-content;max-width:100%}
details.fold{border-top:2px solid var(--ink);padding:16px 0 8px;margin:0}
details.fold>summary{color:inherit;width:auto;font-size:20px}
details.fold .set{border:0;margin:0;padding:0}
.fold+.fold{margin-top:0}
details p{margin:10px 0 6px}
pre{background:var(--soft);border-radius:10px;padding:14px 16px;overflow-x:auto;white-space:pre;overflow-wrap:normal}
pre code{white-space:inherit}
.notes{max-width:20em}
.history .quiet{white-space:nowrap}
footer{margin-top:56px;padding-top:16px;border-top:1px solid var(--rule);font-size:13px;color:var(--quiet);display:grid;gap:4px}
@media(max-width:760px){body{padding:0 16px 32px}caption{max-width:calc(100vw - 32px)}
.verdict{padding:22px 18px;border-radius:12px}
.answer{gap:14px}
.lead{font-size:16px}
.figures{grid-template-columns:1fr}
.figures>div,.figures>div+div{padding:0;border:0}
.figures>div+div{border-top:1px solid var(--rule);padding-top:18px}
.row{grid-template-columns:1fr;gap:0}
.label{padding:9px 0 0}
.row.axis>span{display:none}
.strip{height:30px;min-height:30px}
.second{display:none}
.columns{grid-template-columns:minmax(0,1fr)}
.m-good{r:2.8px}
.m-ring{r:5px}
.m-open{r:2.6px}
section{margin-top:36px}
.drawn{min-width:110px}
}
@media print{:root{--paper:#fff;--card:#fff;--ink:#000;--quiet:#444;--rule:#bbb;--soft:#f3f3f3;--accent:#0b6384;--tint:#cfe3eb;
--good:#14713f;--unknown:#5f6b78;--attention:#8f5600;--bad:#b3261e;--on:#fff;color-scheme:light}
@page{margin:16mm 14mm}
body{padding:0;max-width:none;font-size:10.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.skip{display:none}
details::details-content{content-visibility:visible;display:block}
summary{list-style:none;color:var(--ink)}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
.scroll{overflow:visible;background:none}
code{white-space:normal}
tr,figure,.verdict,.facts>div{break-inside:avoid}
h2,h3{break-after:avoid}
thead{display:table-header-group}
a{color:inherit;text-decoration:none}
}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}
}
`
