// Keeps an open page fresh. Everything works without it; nothing here decides anything.
//   every 15 s   the banner (/pulse); no answer shows "this PC has no link to Relève", 401 locks the page
//   every N s    a page with <body data-live="N"> fetches itself and swaps its [data-fresh] parts
(function () {
  'use strict';
  var PULSE_MS = 15000, TIMEOUT_MS = 5000;
  var body = document.body, cut = document.getElementById('cut');
  var active = false, lastFresh = Date.now();

  ['keydown', 'pointerdown', 'touchstart'].forEach(function (name) {
    document.addEventListener(name, function () { active = true; }, { passive: true });
  });

  function get(url, isActive) {
    var stop = new AbortController();
    var timer = setTimeout(function () { stop.abort(); }, TIMEOUT_MS);
    var headers = isActive ? {} : { 'X-Releve-Auto': '1' };
    return fetch(url, { headers: headers, signal: stop.signal, redirect: 'error', cache: 'no-store' })
      .finally(function () { clearTimeout(timer); });
  }

  function swap(old, fresh) { if (old && fresh && old.innerHTML !== fresh.innerHTML) { old.replaceWith(fresh); } }

  function pulse() {
    if (!cut || document.visibilityState === 'hidden') { return; }
    var wasActive = active;
    active = false;
    get('/pulse', wasActive).then(function (answer) {
      if (answer.status === 401) { location.reload(); return; }
      if (!answer.ok) { throw new Error(String(answer.status)); }
      cut.hidden = true;
      return answer.text().then(function (text) {
        var page = new DOMParser().parseFromString(text, 'text/html');
        ['strip', 'banner'].forEach(function (id) { swap(document.getElementById(id), page.getElementById(id)); });
      });
    }).catch(function () {
      if (cut.hidden) {
        var at = new Date(), two = function (n) { return (n < 10 ? '0' : '') + n; };
        cut.querySelector('[data-since]').textContent = two(at.getHours()) + ':' + two(at.getMinutes());
        cut.hidden = false;
      }
    });
  }

  function isBusy() {
    var focus = document.activeElement;
    if (focus && focus.closest('[data-fresh]')) { return true; }
    return !!document.querySelector('[data-fresh] details[open]') || !getSelection().isCollapsed;
  }

  function refresh() {
    var every = Number(body.dataset.live) * 1000;
    if (!every || document.visibilityState === 'hidden' || Date.now() - lastFresh < every || isBusy()) { return; }
    lastFresh = Date.now();
    get(location.href, false).then(function (answer) { return answer.ok ? answer.text() : ''; }).then(function (text) {
      if (!text || isBusy()) { return; }
      var page = new DOMParser().parseFromString(text, 'text/html');
      document.querySelectorAll('[data-fresh]').forEach(function (old) {
        swap(old, page.querySelector('[data-fresh="' + old.dataset.fresh + '"]'));
      });
    }).catch(function () { /* the pulse says so, once and visibly */ });
  }

  // One click makes one note: the button rests while the form travels. The server's key guards the rest.
  document.addEventListener('submit', function (event) {
    var button = event.target.querySelector('button[type=submit]');
    if (button && event.target.method === 'post') { setTimeout(function () { button.disabled = true; }, 0); }
  });
  window.addEventListener('pageshow', function () {
    document.querySelectorAll('button[type=submit]').forEach(function (button) { button.disabled = false; });
  });

  setInterval(pulse, PULSE_MS);
  setInterval(refresh, 5000);
  document.addEventListener('visibilitychange', pulse);
})();
