const field = document.getElementById("name"), who = document.getElementById("who");
if (field && who) field.addEventListener("input", () => { who.textContent = field.value.trim() || field.defaultValue; });
