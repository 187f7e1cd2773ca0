<?php

declare(strict_types=1);

namespace App\Shop;

use App\Base\Base;
use App\Base\Named as Called;
use App\Store\{Store, Cache as Fast};
use function App\Tools\helper;
use const App\Tools\MAX;
use App\Tools\{function trim_all, const MIN};

require_once __DIR__ . '/legacy.php';
include 'other.inc.php';

const LIMIT = 10;
define('OLD_LIMIT', 20);
$registry = new Registry();

/**
 * A person.
 */
#[Entity(name: "é")]
abstract class Person extends Base implements Called, \Countable
{
    use Loud, Quiet {
        Loud::shout insteadof Quiet;
    }

    public const MAX = 3, MIN = 1;
    private const string KIND = 'x';
    public static int $count = 0;
    protected ?Store $store = null;
    private array $items = [], $others = [];
    var $old;
    public string $label {
        get => $this->name . '!';
    }

    /**
     * Makes one.
     */
    public function __construct(
        public readonly string $name,
        private Fast $cache,
        ?Store $store = null,
    ) {
        $this->store = $store ?? new Store();
        $local = 1;
    }

    /** Full name. */
    #[\Override]
    public function full(int $count, string ...$rest): string
    {
        return helper("🦀 {$this->name}") . $count . self::MAX . static::$count;
    }

    abstract protected function later(): void;

    public static function make(Store $store): static
    {
        return new static('', $store);
    }

    public function &reference(): array
    {
        return $this->items;
    }
}

interface Named extends Base, Other
{
    public const TITLE = 'x';
    public function title(): string;
}

trait Loud
{
    private int $volume = 1;
    public function shout(): string { return strtoupper($this->title()); }
}

enum Color: string implements Named
{
    case Red = 'r';
    case Green = 'g';
    const Default = self::Red;
    public function next(): self { return self::Green; }
}

final class Plain {}

/** Trims. */
function shorten(string $text, int $length = LIMIT): string
{
    function nested(): int { return 1; }
    return substr($text, 0, $length);
}

function run(?Person $who, callable $block): void
{
    $made = new Store();
    $found = Registry::all();
    foreach ($found as $key => $item) {
        $who?->full(1);
    }
    $arrow = fn(Item $item): int => $item->id;
    $closure = function (Item $item) use ($made): void { $made->add($item); };
    $anonymous = new class($made) extends Person {
        public function later(): void {}
    };
    try { $made->close(); } catch (IOException | Failure $error) { throw $error; }
    if ($who instanceof Person) { echo match (true) { default => $who->name }; }
    array_map('strtoupper', [$arrow, $closure]);
}
?>
<p><?= run(null, fn() => 1) ?></p>
