/* SPDX-License-Identifier: ISC */
/* A time line as one self-contained HTML page with a slider. The script
 * reads what it needs from the rows' data attributes and writes text only, so
 * nothing of a packet is ever taken for markup or code. */
#include "page.h"

#include <errno.h>

#include "svg.h"

static const char style[] =
    "body{font-family:DejaVu Sans,Verdana,Helvetica,sans-serif;margin:0;"
    "color:#222;background:#fff}\n"
    "#top{position:sticky;top:0;background:#fff;z-index:1;"
    "border-bottom:1px solid #ccc;padding:6px 12px 0}\n"
    "h1{font-size:16px;margin:0 0 4px}\n"
    "#bar{display:flex;gap:8px;align-items:center;font-size:13px}\n"
    "#slider{flex:1}\n"
    "#now{min-width:11em;text-align:right;"
    "font-variant-numeric:tabular-nums}\n"
    "svg{display:block;width:100%;max-width:1123px;margin:0 auto}\n"
    "main{padding:0 12px}\n"
    ".row.later{visibility:hidden}\n"
    ".row.current .t{stroke:#fff3b0}\n"
    "#state{position:sticky;bottom:0;background:#fff;max-height:25vh;"
    "overflow:auto;border-top:1px solid #ccc;padding:4px 12px 0}\n"
    "#mappings{font-size:12px;border-collapse:collapse;margin:4px 0 8px}\n"
    "#mappings td,#mappings th{border:1px solid #ddd;padding:1px 7px;"
    "text-align:left}\n"
    "#mappings .bad td{color:#b3261e}\n"
    "#left{font-size:12px;margin:0}\n"
    "@media print{#bar{display:none}#top,#state{position:static}\n"
    "#state{max-height:none}}\n";

static const char script[] =
    "'use strict';\n"
    "const rows=[...document.querySelectorAll('g.row')];\n"
    "const slider=document.getElementById('slider');\n"
    "const now=document.getElementById('now');\n"
    "const body=document.querySelector('#mappings tbody');\n"
    "const play=document.getElementById('play');\n"
    "let timer=0;\n"
    "slider.max=rows.length;\n"
    "function key(d){return [d.box,d.protocol,d.internal,d.external,d.remote]"
    ".join(' ');}\n"
    "function mappings(n){\n"
    " const m=new Map();\n"
    " for(const row of rows.slice(0,n)){\n"
    "  const d=row.dataset;\n"
    "  if(!d.state)continue;\n"
    "  if(d.state==='expired')m.delete(key(d));\n"
    "  else if(!m.has(key(d)))m.set(key(d),d);\n"
    " }\n"
    " return [...m.values()];\n"
    "}\n"
    "function show(n){\n"
    " rows.forEach((row,i)=>{row.classList.toggle('later',i>=n);\n"
    "  row.classList.toggle('current',i===n-1&&n<rows.length);});\n"
    " now.textContent=n+' of '+rows.length+\n"
    "  (n>0?', '+(rows[n-1].dataset.us/1000).toFixed(3)+' ms':'');\n"
    " body.replaceChildren(...mappings(n).map(d=>{\n"
    "  const tr=document.createElement('tr');\n"
    "  if(d.reason)tr.className='bad';\n"
    "  for(const k of ['box','protocol','internal','external','remote',"
    "'reason']){\n"
    "   const td=document.createElement('td');\n"
    "   td.textContent=d[k]||'';tr.append(td);}\n"
    "  return tr;}));\n"
    "}\n"
    "function follow(){\n"
    " const row=rows[slider.value-1];\n"
    " if(!row)return;\n"
    " const box=row.getBoundingClientRect();\n"
    " const top=document.getElementById('top').offsetHeight;\n"
    " const end=innerHeight-document.getElementById('state').offsetHeight;\n"
    " if(box.top<top||box.bottom>end)scrollBy(0,box.bottom-end*0.8);\n"
    "}\n"
    "function stop(){clearInterval(timer);timer=0;play.textContent='Play';}\n"
    "slider.addEventListener('input',()=>{show(+slider.value);follow();});\n"
    "play.addEventListener('click',()=>{\n"
    " if(timer){stop();return;}\n"
    " if(+slider.value>=rows.length)slider.value=0;\n"
    " play.textContent='Stop';\n"
    " timer=setInterval(()=>{slider.value=+slider.value+1;\n"
    "  slider.dispatchEvent(new Event('input'));\n"
    "  if(+slider.value>=rows.length)stop();},600);\n"
    "});\n"
    "function hash(){\n"
    " const n=parseInt(location.hash.slice(1),10);\n"
    " slider.value=Number.isNaN(n)?rows.length:n;\n"
    " slider.dispatchEvent(new Event('input'));\n"
    "}\n"
    "addEventListener('hashchange',hash);\n"
    "hash();\n";

int
page_write(FILE *f, struct ladder *l, const char *title)
{
	if (l->nlane > SVG_LANES)
		return -ENOSPC;
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	      "<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\""
	      "default-src 'none'; style-src 'unsafe-inline'; "
	      "script-src 'unsafe-inline'\">\n<title>",
	    f);
	svg_escape(f, title);
	fprintf(f, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", style);
	fputs("<div id=\"top\">\n<h1>", f);
	svg_escape(f, title);
	fputs("</h1>\n<div id=\"bar\"><button id=\"play\" type=\"button\">Play"
	      "</button><input id=\"slider\" type=\"range\" min=\"0\" "
	      "aria-label=\"time\"><span id=\"now\"></span></div>\n",
	    f);
	svg_names(f, l);
	fputs("</div>\n<main>\n", f);
	svg_rows(f, l);
	fputs("</main>\n<div id=\"state\"><p id=\"left\">Mappings at this "
	      "moment</p>\n"
	      "<table id=\"mappings\"><thead><tr><th>box</th><th>protocol</th>"
	      "<th>internal</th><th>external</th><th>remote</th><th>reason"
	      "</th></tr></thead><tbody></tbody></table>\n</div>\n",
	    f);
	fprintf(f, "<script>\n%s</script>\n</body>\n</html>\n", script);
	return fflush(f) == 0 && !ferror(f) ? 0 : -EIO;
}
