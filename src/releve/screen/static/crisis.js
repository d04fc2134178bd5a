// Keeps a page of the crisis cell live. Everything works without it (the page then reloads itself).
//   /crisis/live   a stream (Server-Sent Events) that names the version of what is known; another one: fetch this page
//                  and swap its [data-fresh] parts, except one that somebody is marking or writing in
(function () {
  'use strict';
  var STEADY_MS = 30000, TIMEOUT_MS = 8000;
  var body = document.body, source = null, isFetching = false, isWanted = false, lastFresh = Date.now();
  var shown = body.dataset.crisis;

  function isHeld(part) {
    var focus = document.activeElement, selection = getSelection();
    if (focus && focus !== body && part.contains(focus) && focus.closest('form, [tabindex]')) { return true; }
    if (!selection.isCollapsed && part.contains(selection.anchorNode)) { return true; }
    return Array.prototype.some.call(part.querySelectorAll('form[method=post] input, textarea'), function (one) {
      return one.value !== one.defaultValue || one.checked !== one.defaultChecked;
    });
  }

  // What somebody unfolded stays unfolded.
  function put(old, fresh) {
    var folds = fresh.querySelectorAll('details');
    old.querySelectorAll('details').forEach(function (one, place) { if (folds[place]) { folds[place].open = one.open; } });
    old.replaceWith(fresh);
  }

  function names(root) {
    return Array.prototype.map.call(root.querySelectorAll('main [data-fresh]'), function (part) {
      return part.dataset.fresh;
    }).join();
  }

  function swap(page) {
    var main = document.getElementById('main'), freshMain = page.getElementById('main');
    // A part that was not there before (something waits for a person) finds its place with all the others.
    if (names(document) !== names(page) && !isHeld(main)) { put(main, freshMain); return; }
    document.querySelectorAll('[data-fresh]').forEach(function (old) {
      var fresh = page.querySelector('[data-fresh="' + old.dataset.fresh + '"]');
      if (fresh && old.innerHTML !== fresh.innerHTML && !isHeld(old)) { put(old, fresh); }
    });
  }

  function fetchSelf() {
    if (isFetching || document.visibilityState === 'hidden') { isWanted = true; return; }
    isFetching = true; isWanted = false; lastFresh = Date.now();
    var stop = new AbortController(), timer = setTimeout(function () { stop.abort(); }, TIMEOUT_MS);
    fetch(location.href, { headers: { 'X-Releve-Auto': '1' }, signal: stop.signal, redirect: 'error', cache: 'no-store' })
      .then(function (answer) { return answer.ok ? answer.text() : ''; })
      .then(function (text) {
        if (!text) { return; }
        var page = new DOMParser().parseFromString(text, 'text/html');
        shown = page.body.dataset.crisis;
        swap(page);
      })
      .catch(function () { /* the pulse of live.js says so, once and visibly */ })
      .finally(function () { clearTimeout(timer); isFetching = false; if (isWanted) { isWanted = false; setTimeout(fetchSelf, 1000); } });
  }

  function open() {
    // A hidden page holds no stream: browsers keep only six connections to one node.
    if (source || document.visibilityState === 'hidden' || !window.EventSource) { return; }
    source = new EventSource('/crisis/live?auto=1');
    source.addEventListener('changed', function (event) { if (event.data !== shown) { fetchSelf(); } });
  }

  function close() { if (source) { source.close(); source = null; } }

  document.addEventListener('visibilitychange', function () {
    if (document.visibilityState === 'hidden') { close(); } else { open(); fetchSelf(); }
  });
  window.addEventListener('pagehide', close);
  // The now-line moves and ages grow although nothing happened.
  setInterval(function () { if (Date.now() - lastFresh >= STEADY_MS) { fetchSelf(); } }, 5000);
  open();
})();
