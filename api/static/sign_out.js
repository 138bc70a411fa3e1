"use strict";

document.getElementById("sign-out").addEventListener("click", async () => {
  await fetch("/auth/sign-out", { method: "POST" });
  location.assign("/sign-in");
});
