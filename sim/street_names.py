"""Names for invented streets: common words of a town by the sea, never a real street's list."""

import random

_WORDS = (
    "del Faro|de la Gaviota|del Manzano|de la Marea|del Carbayo|de la Sidra|del Astillero|de la Playa|del Molino|"
    "de la Ribera|del Nordeste|del Muelle|de la Barca|del Ancla|de la Vela|del Timón|de la Red|del Arenal|de la Duna|"
    "del Acantilado|de la Espuma|del Oleaje|de la Brisa|del Horizonte|de la Concha|del Erizo|de la Sardina|del Bonito|"
    "del Percebe|de la Llámpara|del Oricio|de la Nutria|del Raitán|de la Golondrina|del Vencejo|del Cormorán|"
    "de la Lechuza|del Mirlo|del Tejo|del Abedul|del Castaño|del Fresno|del Avellano|del Laurel|del Acebo|del Roble|"
    "del Nogal|de la Higuera|del Cerezo|del Peral|del Membrillo|de la Zarza|del Helecho|de la Hiedra|del Tojo|"
    "del Brezo|de la Retama|de la Hortensia|de la Camelia|del Clavel|de la Violeta|del Narciso|del Lirio|del Trébol|"
    "de la Panera|del Hórreo|del Lagar|de la Pumarada|del Lavadero|de la Fuente|del Pozo|del Puente|de la Fábrica|"
    "de la Fragua|del Yunque|del Telar|de la Rueca|del Batán|de la Noria|del Horno|de la Cantera|de la Mina|"
    "del Carbón|de la Caldera|del Vapor|de la Locomotora|del Raíl|de la Estación|del Apeadero|de la Aduana|"
    "del Almacén|de la Lonja|de la Báscula|del Ensanche|del Mirador|de la Loma|del Otero|del Collado|de la Vega|"
    "del Prado|de la Pradera|del Valle|del Arroyo|del Manantial|de la Cascada|del Remanso|del Vado|de la Presa|"
    "de la Cueva|de la Peña|del Risco|de la Ladera|de la Cumbre|del Bosque|de la Arboleda|del Soto|del Jardín|"
    "del Invernadero|de la Huerta|del Establo|del Relojero|de la Costurera|del Alfarero|de la Panadera|del Librero|"
    "de la Maestra|del Músico|de la Gaita|del Tambor|de la Panderetera|del Organillo|de la Comedia|del Títere|"
    "de la Cometa|de la Peonza|del Columpio|del Reloj|de la Veleta|del Campanario|de la Linterna|del Candil|"
    "de la Farola|del Eclipse|de la Luna|del Lucero|de la Aurora|del Solsticio|de la Lluvia|de la Niebla|del Trueno"
)
NOUNS = tuple(_WORDS.split("|"))

_NARROW = ("Calle", "Travesía", "Calle Nueva", "Calle Alta", "Calle Baja", "Calle Vieja", "Subida", "Bajada")
_BROAD = ("Avenida", "Ronda", "Alameda", "Gran Avenida", "Rambla")
_RURAL = ("Carretera", "Senda", "Caleya", "Calzada", "Carretera Vieja", "Carretera Alta", "Carretera Baja")


class Names:
    """Draws every name once; what a plan that was thrown away had drawn may come again."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken)

    def fresh(self) -> "Names":
        """Return a copy to draw from: the original keeps what it has."""
        return Names(frozenset(self._taken))

    def take(self, names: set[str]) -> None:
        """Mark names as given away."""
        self._taken |= names

    def draw(self, rng: random.Random, *, broad: bool, rural: bool) -> str:
        """Return a name nobody has, marked as simulated."""
        forms = _BROAD if broad and not rural else _RURAL if rural else _NARROW
        for attempt in range(10_000):
            # The plain form first: a second "Calle Alta …" comes when the words of "Calle …" run out.
            form = forms[min(attempt // 30, len(forms) - 1)]
            found = f"{form} {rng.choice(NOUNS)}"
            number = "" if attempt < 30 * (len(forms) + 2) else f" {attempt}"
            name = f"{found}{number} (simulada)"
            if name not in self._taken:
                self._taken.add(name)
                return name
        raise AssertionError("ten thousand names were not enough")
